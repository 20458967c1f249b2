// Inside the extension host: Problems at the right place while typing, and what the JSON Schema offers.
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'mocha';
import * as vscode from 'vscode';
import { until } from './until.ts';

const good = `{
  "head": "kq",
  "x": [[1, 2], [3, 4], [5, 6]],
  "xPrime": [[1, 0, 1]],
  "weights": {
    "W_K": [[1], [2]],
    "W_Q": [[1], [0], [1]]
  }
}
`;

let count = 0;

async function openSetup(text: string): Promise<vscode.TextDocument> {
  const folder = vscode.workspace.workspaceFolders?.[0].uri;
  assert.ok(folder, 'a folder is open');
  const file = vscode.Uri.joinPath(folder, `setup${count++}.attention.json`);
  await vscode.workspace.fs.writeFile(file, new TextEncoder().encode(text));
  const document = await vscode.workspace.openTextDocument(file);
  await vscode.window.showTextDocument(document);
  return document;
}

/** Waits until the extension's own problems of a document are as wanted, and gives them. */
async function problemsWhen(
  { uri }: vscode.TextDocument,
  wanted: (problems: vscode.Diagnostic[]) => boolean,
): Promise<vscode.Diagnostic[]> {
  const own = await until(
    () => vscode.languages.getDiagnostics(uri).filter(({ source }) => source === 'attention'),
    wanted,
  );
  if (wanted(own)) return own;
  const all = vscode.languages.getDiagnostics(uri).map(({ message }) => message);
  assert.fail(`waited in vain; the problems are: ${all.join(' | ') || 'none'}`);
}

async function edit(document: vscode.TextDocument, from: string, to: string): Promise<void> {
  const at = document.getText().indexOf(from);
  assert.ok(at >= 0, `"${from}" is in the document`);
  const range = new vscode.Range(document.positionAt(at), document.positionAt(at + from.length));
  const change = new vscode.WorkspaceEdit();
  change.replace(document.uri, range, to);
  await vscode.workspace.applyEdit(change);
}

const lineWith = (document: vscode.TextDocument, text: string): number =>
  document.positionAt(document.getText().indexOf(text)).line;

describe('problems of a setup', () => {
  afterEach(() => vscode.commands.executeCommand('workbench.action.revertAndCloseActiveEditor'));

  it('appear at their line while typing and go when they are mended', async () => {
    const document = await openSetup(good);
    await edit(document, '[[1], [2]]', '[[1], [2], [3]]');
    const [problem] = await problemsWhen(document, ({ length }) => length === 1);
    assert.match(
      problem.message,
      /weights\.W_K: found shape \(3, 1\), expected .*c = 2.*x .*\(3, 2\)/,
    );
    assert.equal(problem.range.start.line, lineWith(document, '"W_K"'));
    assert.equal(problem.severity, vscode.DiagnosticSeverity.Error);
    await edit(document, '[[1], [2], [3]]', '[[1], [2]]');
    await problemsWhen(document, ({ length }) => length === 0);
  });

  it('name an unknown key and the nearest known one', async () => {
    const document = await openSetup(good.replace('"xPrime"', '"xprime"'));
    const [problem] = await problemsWhen(document, ({ length }) => length > 0);
    assert.match(problem.message, /xprime.*xPrime/);
    assert.equal(problem.range.start.line, lineWith(document, '"xprime"'));
  });

  it('name a tensor file that is missing', async () => {
    const document = await openSetup(
      good.replace('[[1, 0, 1]]', '{ "file": "nowhere.npz", "key": "q" }'),
    );
    const [problem] = await problemsWhen(document, ({ length }) => length > 0);
    assert.match(problem.message, /nowhere\.npz/);
    assert.equal(problem.range.start.line, lineWith(document, 'nowhere.npz'));
  });

  it('say what is not JSON', async () => {
    const document = await openSetup(good.replace('"weights": {', '"weights": '));
    const problems = await problemsWhen(document, ({ length }) => length > 0);
    assert.ok(problems[0].range.start.line > 0);
  });
});

describe('the JSON Schema', () => {
  afterEach(() => vscode.commands.executeCommand('workbench.action.revertAndCloseActiveEditor'));

  it('offers the keys that fit', async () => {
    const document = await openSetup(good);
    await edit(document, '"head": "kq",', '"head": "kq",\n  ""');
    const at = document.positionAt(document.getText().indexOf('""') + 1);
    const offered = async (): Promise<string[]> => {
      const list = await vscode.commands.executeCommand<vscode.CompletionList>(
        'vscode.executeCompletionItemProvider',
        document.uri,
        at,
      );
      return list.items.map(({ label }) => (typeof label === 'string' ? label : label.label));
    };
    const labels = await until(offered, (all) => all.includes('rope'));
    for (const key of ['mask', 'loss', 'rope', 'kvHeads'])
      assert.ok(labels.includes(key), `${key} in ${labels.join()}`);
  });

  it('explains a key on hover', async () => {
    const document = await openSetup(good);
    const at = document.positionAt(document.getText().indexOf('"xPrime"') + 2);
    const told = async (): Promise<string> => {
      const hovers = await vscode.commands.executeCommand<vscode.Hover[]>(
        'vscode.executeHoverProvider',
        document.uri,
        at,
      );
      return hovers
        .flatMap(({ contents }) => contents)
        .map((each) => (typeof each === 'string' ? each : each.value))
        .join('\n');
    };
    assert.match(await until(told, (text) => text !== ''), /self-attention/i);
  });
});

describe('a setup in the editor', () => {
  afterEach(() => vscode.commands.executeCommand('workbench.action.revertAndCloseActiveEditor'));

  it('has a language of its own, in which comments are allowed', async () => {
    const text = good.replace('{', '{ // a comment').replace('"kq"', '"kqq"');
    const document = await openSetup(text.replace(/\n {2}\}\n/, ',\n  },\n'));
    assert.equal(document.languageId, 'attention-setup');
    // VS Code's own check of JSON has spoken, of what a key must be and of nothing else.
    const messages = await until(
      () =>
        vscode.languages
          .getDiagnostics(document.uri)
          .filter(({ source }) => source !== 'attention')
          .map(({ message }) => message),
      ({ length }) => length > 0,
    );
    assert.equal(messages.length, 1, messages.join(' | '));
    assert.match(messages[0], /kq/);
  });
});

/** The setup that an editor shows once it is there. */
async function unsavedSetup(): Promise<vscode.TextDocument> {
  const isSetup = (document: vscode.TextDocument | undefined): boolean =>
    document?.isUntitled === true && document.getText() !== '';
  const shown = await until(() => vscode.window.activeTextEditor?.document, isSetup);
  return isSetup(shown) ? shown! : assert.fail('no setup was opened');
}

describe('a new setup', () => {
  it('is begun from a trace: its names and shapes', async () => {
    const folder = vscode.workspace.workspaceFolders?.[0].uri;
    assert.ok(folder);
    const trace = vscode.Uri.joinPath(folder, 'own.json');
    const tensors = { x: [[1, 2]], W_K: [[1], [2]], W_Q: [[1], [0]], W_V: [[1], [2]], odd: [1] };
    await vscode.workspace.fs.writeFile(trace, new TextEncoder().encode(JSON.stringify(tensors)));
    await vscode.commands.executeCommand('attention.newSetup', trace);
    const document = await unsavedSetup();
    assert.match(document.uri.path, /own\.attention\.json$/);
    assert.match(document.getText(), /"head": "qkv"[^]*"file":"own.json","key":"x"[^]*odd \(1\)/);
    await problemsWhen(document, ({ length }) => length === 0);
    await vscode.commands.executeCommand('workbench.action.revertAndCloseActiveEditor');
  });

  it('is the exercise, not saved yet', async () => {
    let isAnswered = false;
    const asked = vscode.commands.executeCommand('attention.newSetup').then(() => {
      isAnswered = true;
    });
    // The first offer is the exercise, as soon as it is offered.
    await until(
      () => vscode.commands.executeCommand('workbench.action.acceptSelectedQuickOpenItem'),
      () => isAnswered,
    );
    await asked;
    const document = await unsavedSetup();
    assert.match(document.getText(), /"head": "kq"/);
    assert.match(document.uri.path, /\.attention\.json$/);
    await vscode.commands.executeCommand('workbench.action.revertAndCloseActiveEditor');
  });
});
