// Inside the extension host: the Python helper is put beside a program, and a file of the person's is not lost.
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'mocha';
import * as vscode from 'vscode';
import manifest from '../../../package.json' with { type: 'json' };
import { HELPER, helperOf, placeHelper } from '../../../src/extension/pythonHelper.ts';

const { fs } = vscode.workspace;
const command = 'attention.addPythonHelper';
const text = (words: string): Uint8Array => new TextEncoder().encode(words);

let count = 0;

describe('the Python helper', () => {
  let folder: vscode.Uri;
  let helper: vscode.Uri;

  beforeEach(async () => {
    const extension = vscode.extensions.getExtension(`${manifest.publisher}.${manifest.name}`);
    const root = vscode.workspace.workspaceFolders?.[0].uri;
    assert.ok(extension && root);
    helper = helperOf(extension.extensionUri);
    folder = vscode.Uri.joinPath(root, `program${count++}`);
    await fs.createDirectory(folder);
    await vscode.commands.executeCommand('workbench.action.closeAllEditors');
  });

  const found = async (where: vscode.Uri): Promise<string> =>
    new TextDecoder().decode(await fs.readFile(vscode.Uri.joinPath(where, HELPER)));
  const brought = async (): Promise<string> => new TextDecoder().decode(await fs.readFile(helper));

  it('comes into the folder of the menu', async () => {
    await vscode.commands.executeCommand(command, folder);
    assert.equal(await found(folder), await brought());
    assert.match(await found(folder), /def merge\(/);
  });

  it('comes beside the .py file of the menu', async () => {
    const program = vscode.Uri.joinPath(folder, 'train.py');
    await fs.writeFile(program, text('print(1)\n'));
    await vscode.commands.executeCommand(command, program);
    assert.equal(await found(folder), await brought());
  });

  it('comes beside the .py file that is edited, without a menu', async () => {
    const program = vscode.Uri.joinPath(folder, 'train.py');
    await fs.writeFile(program, text('print(1)\n'));
    await vscode.window.showTextDocument(program);
    await vscode.commands.executeCommand(command);
    assert.equal(await found(folder), await brought());
  });

  it('comes into the workspace folder where nothing else is meant', async () => {
    const root = vscode.Uri.joinPath(folder, '..');
    await fs.delete(vscode.Uri.joinPath(root, HELPER)).then(undefined, () => undefined);
    await vscode.commands.executeCommand(command);
    assert.equal(await found(root), await brought());
  });

  it('asks before it replaces a file that differs, and only then', async () => {
    const asked: string[] = [];
    const answer = (reply: boolean) => (file: vscode.Uri) => {
      asked.push(file.path);
      return Promise.resolve(reply);
    };
    assert.equal(await placeHelper(helper, folder, answer(false)), 'added');
    assert.equal(await placeHelper(helper, folder, answer(false)), 'same');
    assert.deepEqual(asked, []);
    const target = vscode.Uri.joinPath(folder, HELPER);
    await fs.writeFile(target, text('# mine\n'));
    assert.equal(await placeHelper(helper, folder, answer(false)), 'kept');
    assert.equal(await found(folder), '# mine\n');
    assert.equal(await placeHelper(helper, folder, answer(true)), 'replaced');
    assert.equal(await found(folder), await brought());
    assert.deepEqual(asked, [target.path, target.path]);
  });
});
