// Inside the extension host: a notebook that is edited while it is saved in order to be run.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import * as vscode from 'vscode';
import { saved } from '../../../src/extension/lines/program.ts';

const { window, workspace } = vscode;

async function append(cell: vscode.NotebookCell, text: string): Promise<void> {
  const change = new vscode.WorkspaceEdit();
  change.insert(cell.document.uri, new vscode.Position(cell.document.lineCount, 0), text);
  await workspace.applyEdit(change);
}

describe('a notebook that is saved to be run', () => {
  it('is run all the same where somebody types on meanwhile', async () => {
    const folder = workspace.workspaceFolders?.[0].uri;
    assert.ok(folder, 'a folder is open');
    const file = vscode.Uri.joinPath(folder, 'typed.ipynb');
    const cells = [{ cell_type: 'code', source: 'a = 1', metadata: {}, outputs: [] }];
    const text = JSON.stringify({ cells, metadata: {}, nbformat: 4, nbformat_minor: 4 });
    await workspace.fs.writeFile(file, new TextEncoder().encode(text));
    const notebook = await workspace.openNotebookDocument(file);
    await window.showNotebookDocument(notebook);
    const [cell] = notebook.getCells();
    const typing: Promise<void>[] = [];
    // Behind the answer that it may be saved now.
    const listener = workspace.onWillSaveNotebookDocument(() => {
      if (typing.length < 2)
        setTimeout(() => typing.push(append(cell, `\nc${typing.length} = 3`)), 0);
    });
    try {
      await append(cell, '\nb = 2');
      assert.equal(await saved(file), true);
      await Promise.all(typing);
      assert.match(new TextDecoder().decode(await workspace.fs.readFile(file)), /b = 2/);
    } finally {
      listener.dispose();
      await vscode.commands.executeCommand('workbench.action.revertAndCloseActiveEditor');
    }
  });
});
