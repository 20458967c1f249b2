// Inside the extension host: which files a setup may name, and that what is no regular file is refused at once.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import * as vscode from 'vscode';
import { checkReadable } from '../../../src/extension/mayRead.ts';
import { SetupModel } from '../../../src/extension/setups.ts';

const workspace = (): vscode.Uri => vscode.workspace.workspaceFolders![0].uri;

describe('files that a setup names', () => {
  const outside = mkdtempSync(join(tmpdir(), 'attention-outside-'));
  before(() => {
    writeFileSync(join(outside, 'x.npy'), '');
    mkdirSync(join(workspace().fsPath, 'in'), { recursive: true });
    writeFileSync(join(workspace().fsPath, 'in', 'x.npy'), '');
    symlinkSync(join(outside, 'x.npy'), join(workspace().fsPath, 'link.npy'));
    symlinkSync(outside, join(workspace().fsPath, 'linked'));
    symlinkSync(join(workspace().fsPath, 'in', 'x.npy'), join(workspace().fsPath, 'own.npy'));
  });
  after(() => rmSync(outside, { recursive: true }));

  it('are those of the workspace where it is not trusted, links followed', async () => {
    const setup = vscode.Uri.joinPath(workspace(), 'a.attention.json');
    const may = (path: string, isTrusted = false): Promise<boolean> =>
      checkReadable(setup, vscode.Uri.file(path), isTrusted).then(
        () => true,
        () => false,
      );
    const at = (...path: string[]): string => join(workspace().fsPath, ...path);
    const found = {
      inside: await may(at('in', 'x.npy')),
      missing: await may(at('nothing.npy')),
      'a link inside': await may(at('own.npy')),
      outside: await may(join(outside, 'x.npy')),
      above: await may(at('..', 'x.npy')),
      'a link out': await may(at('link.npy')),
      'through a linked folder': await may(at('linked', 'x.npy')),
      beside: await may(`${workspace().fsPath}2/x.npy`),
      'outside, trusted': await may(join(outside, 'x.npy'), true),
    };
    assert.deepEqual(found, {
      ...{ inside: true, missing: true, 'a link inside': true, outside: false, above: false },
      ...{ 'a link out': false, 'through a linked folder': false, beside: false },
      'outside, trusted': true,
    });
  });

  it('are regular files: a device, a FIFO and a folder are a problem at once', async () => {
    execFileSync('mkfifo', [join(workspace().fsPath, 'fifo.npy')]);
    for (const [path, found] of [
      ['/dev/zero', 'a device'],
      ['fifo.npy', 'a FIFO'],
      ['in', 'a folder'],
    ]) {
      const uri = vscode.Uri.joinPath(workspace(), `${found.replace(' ', '')}.attention.json`);
      const weights = { W_K: [[1]], W_Q: [[1]] };
      const text = JSON.stringify({ head: 'kq', x: { file: path }, weights });
      await vscode.workspace.fs.writeFile(uri, new TextEncoder().encode(text));
      const model = new SetupModel(uri);
      const { problems } = await model.opened();
      model.dispose();
      const expected = `x: cannot read ${path}: found ${found}, expected a regular file`;
      assert.deepEqual(
        problems.map(({ message }) => message),
        [expected],
      );
    }
  });
});
