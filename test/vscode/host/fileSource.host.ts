// Inside the extension host: the parts of several ranks are read as one trace, and followed when one of them is written.
import assert from 'node:assert/strict';
import { before, describe, it } from 'mocha';
import * as vscode from 'vscode';
import { type ComputableSetup, openSetup } from '../../../src/formats/openSetup.ts';
import { FileSource } from '../../../src/extension/compare/fileSource.ts';
import manifest from '../../../package.json' with { type: 'json' };

const { fs } = vscode.workspace;
const FILES = ['heads.attention.json', 'heads.rank0.npz', 'heads.rank1.npz'];

describe('a trace in parts', () => {
  let folder: vscode.Uri;
  let reference: ComputableSetup;

  before(async () => {
    const extension = vscode.extensions.getExtension(`${manifest.publisher}.${manifest.name}`);
    const workspace = vscode.workspace.workspaceFolders?.[0].uri;
    assert.ok(extension && workspace);
    const fixtures = vscode.Uri.joinPath(extension.extensionUri, 'test/python/fixtures/ranks');
    folder = vscode.Uri.joinPath(workspace, 'ranks');
    for (const name of FILES)
      await fs.copy(vscode.Uri.joinPath(fixtures, name), vscode.Uri.joinPath(folder, name));
    const text = new TextDecoder().decode(
      await fs.readFile(vscode.Uri.joinPath(folder, 'heads.attention.json')),
    );
    const { setup, graph, config } = await openSetup(text, (path) =>
      Promise.resolve(fs.readFile(vscode.Uri.joinPath(folder, path))),
    );
    assert.ok(setup && graph && config);
    reference = { setup, graph, config };
  });

  for (const name of ['heads.npz', 'heads.rank1.npz', '']) {
    it(`is read whole by ${name || 'its folder'}`, async () => {
      const source = new FileSource(vscode.Uri.joinPath(folder, name));
      try {
        const tensors = await source.read(reference);
        const P = tensors.find((each) => each.name === 'P');
        assert.deepEqual(P?.tensor.shape, [2, 4, 6, 6]);
        assert.deepEqual(source.leftOut, []);
      } finally {
        source.dispose();
      }
    });
  }

  it('is read again when a rank has written', async () => {
    const source = new FileSource(vscode.Uri.joinPath(folder, 'heads.rank1.npz'));
    const part = vscode.Uri.joinPath(folder, 'heads.rank0.npz');
    const bytes = await fs.readFile(part);
    const changed = new Promise<boolean>((resolve) => {
      source.onDidChange(() => resolve(true));
      setTimeout(() => resolve(false), 120_000);
    });
    try {
      // A watcher takes a moment to begin.
      const writing = setInterval(() => void fs.writeFile(part, bytes), 1000);
      const hasFired = await changed;
      clearInterval(writing);
      assert.ok(hasFired);
    } finally {
      source.dispose();
    }
  });
});
