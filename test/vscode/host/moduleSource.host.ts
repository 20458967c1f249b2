// Inside the extension host: a module runs, its exception is a problem at its line, and a newer run replaces an older one.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import * as vscode from 'vscode';
import manifest from '../../../package.json' with { type: 'json' };
import { ModuleSource } from '../../../src/extension/compare/moduleSource.ts';
import { type ComputableSetup, openSetup } from '../../../src/formats/openSetup.ts';

const { fs } = vscode.workspace;
const SETUP = `{
  "head": "kq", "x": [[1, 2], [3, 4]], "weights": { "W_K": [[1], [2]], "W_Q": [[3], [4]] },
  "implementation": { "module": "run/mine.mjs", "timeout": 30 }
}`;

describe('a module as the source of tensors', () => {
  let module: vscode.Uri;
  let reference: ComputableSetup;
  let source: ModuleSource;
  const log = vscode.window.createOutputChannel('Attention test', { log: true });

  before(async () => {
    const extension = vscode.extensions.getExtension(`${manifest.publisher}.${manifest.name}`);
    const folder = vscode.workspace.workspaceFolders?.[0].uri;
    assert.ok(extension && folder);
    const runner = vscode.Uri.joinPath(extension.extensionUri, 'dist', 'runMine.mjs').fsPath;
    const file = vscode.Uri.joinPath(folder, 'run.attention.json');
    module = vscode.Uri.joinPath(folder, 'run', 'mine.mjs');
    const { setup, graph, config } = await openSetup(SETUP, () => Promise.reject(new Error()));
    assert.ok(setup && graph && config);
    reference = { setup, graph, config };
    source = new ModuleSource(file, 'run/mine.mjs', { runner, log });
  });
  after(() => {
    source.dispose();
    log.dispose();
  });

  const write = (code: string): Thenable<void> =>
    fs.writeFile(module, new TextEncoder().encode(code));

  it('gives what it returns', async () => {
    await write('export const forward = ({ x }) => ({ x, scores: [[1, 2], [3, 4]] });');
    const tensors = await source.read(reference);
    assert.deepEqual(
      tensors.map(({ name, tensor }) => [name, ...tensor.data]),
      [
        ['x', 1, 2, 3, 4],
        ['scores', 1, 2, 3, 4],
      ],
    );
  });

  it('shows an exception at its line, until it is mended', async () => {
    await write('export function forward() {\n  throw new Error("not yet");\n}');
    await assert.rejects(source.read(reference), /^Error: mine\.mjs:2: Error: not yet$/);
    const [problem] = vscode.languages.getDiagnostics(module);
    assert.match(problem.message, /not yet/);
    assert.equal(problem.range.start.line, 1);
    await write('export const forward = () => ({ f: 1 });');
    await source.read(reference);
    assert.deepEqual(vscode.languages.getDiagnostics(module), []);
  });

  it('answers an older question with what the newer run gives', async () => {
    await write('export const forward = () => new Promise(() => {});');
    const older = source.read(reference);
    await new Promise((resolve) => setTimeout(resolve, 500));
    await write('export const forward = () => ({ f: 7 });');
    const newer = source.read(reference);
    for (const tensors of await Promise.all([older, newer]))
      assert.deepEqual(
        tensors.map(({ name, tensor }) => [name, ...tensor.data]),
        [['f', 7]],
      );
  });
});
