// Inside the extension host: VS Code knows the extension and can activate it.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import * as vscode from 'vscode';
import manifest from '../../../package.json' with { type: 'json' };

const id = `${manifest.publisher}.${manifest.name}`;

describe('the extension', () => {
  it('activates', async () => {
    const extension = vscode.extensions.getExtension(id);
    assert.ok(extension, `${id} is not known`);
    await extension.activate();
    assert.ok(extension.isActive);
  });

  it('has each of its commands', async () => {
    const known = new Set(await vscode.commands.getCommands(true));
    for (const { command } of manifest.contributes.commands) {
      assert.ok(known.has(command), `${command} is not registered`);
    }
  });
});
