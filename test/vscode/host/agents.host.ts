// The tools for coding assistants, as VS Code has them.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import * as vscode from 'vscode';
import manifest from '../../../package.json' with { type: 'json' };

const NAMES = ['check', 'explain', 'fix', 'lines'].map((name) => `attention_${name}`);

describe('tools for coding assistants', () => {
  it('VS Code knows the four', async () => {
    await vscode.extensions.getExtension(`${manifest.publisher}.${manifest.name}`)?.activate();
    const found = vscode.lm.tools.map(({ name }) => name).filter((name) => NAMES.includes(name));
    assert.deepEqual(found.sort(), NAMES);
  });

  it('one answers, and what is wrong with a call is one line', async () => {
    const call = async (input: object): Promise<string> => {
      const { content } = await vscode.lm.invokeTool('attention_explain', {
        ...{ input, toolInvocationToken: undefined },
      });
      const [first] = content;
      return first instanceof vscode.LanguageModelTextPart ? first.value : '';
    };
    assert.match(await call({ node: 'dP' }), /^P: .*\nforward: P/);
    await assert.rejects(call({ node: 'nonsense' }), /expected a node such as P or dQ/);
  });
});
