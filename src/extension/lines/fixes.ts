// Proven fixes: looked for when asked, offered as quick fixes, shown as a diff before they are taken.
import { dirname, resolve } from 'node:path';
import * as vscode from 'vscode';
import type { Fix } from '../../lines/repair/fix.ts';
import { Command } from '../commands.ts';
import { fileName } from '../uris.ts';
import type { Check, Checks } from './checks.ts';
import { fixTitle, lineEdit } from './lineEdit.ts';
import { isNotebookFile, plainText } from './program.ts';
import type { Runs } from './runs.ts';
import { isOfLines } from './told.ts';

const SCHEME = 'attention-fix';
const APPLY = 'Apply';
const PREVIEW = 'Preview';

const { QuickFix } = vscode.CodeActionKind;

const fileOf = ({ program }: Check, { file }: Fix): vscode.Uri =>
  vscode.Uri.file(resolve(dirname(program.fsPath), file));

/** Null where the document is not the one that ran. */
function editOf(
  document: vscode.TextDocument,
  check: Check,
  fix: Fix,
): vscode.WorkspaceEdit | null {
  const text = plainText(document.getText());
  if (check.texts.get(document.uri.toString()) !== text) return null;
  const { start, end, lines } = lineEdit(text, plainText(fix.source));
  const edit = new vscode.WorkspaceEdit();
  const isLast = end >= document.lineCount;
  const range = document.validateRange(new vscode.Range(start, 0, end, 0));
  const put = lines.map((line, n) => (isLast && n === lines.length - 1 ? line : `${line}\n`));
  edit.replace(document.uri, range, put.join(''));
  return edit;
}

export class Fixes implements vscode.CodeActionProvider, vscode.TextDocumentContentProvider {
  readonly #checks: Checks;
  readonly #runs: Runs;
  /** Texts after a fix, by the addresses under which they are shown. */
  readonly #texts = new Map<string, string>();

  constructor(checks: Checks, runs: Runs) {
    this.#checks = checks;
    this.#runs = runs;
  }

  register(): vscode.Disposable {
    return vscode.Disposable.from(
      vscode.languages.registerCodeActionsProvider({ language: 'python' }, this, {
        providedCodeActionKinds: [QuickFix],
      }),
      vscode.workspace.registerTextDocumentContentProvider(SCHEME, this),
      vscode.commands.registerCommand(Command.PreviewFix, (program: unknown, n: unknown) =>
        this.#previewAt(program, n),
      ),
    );
  }

  provideTextDocumentContent(uri: vscode.Uri): string {
    return this.#texts.get(uri.toString()) ?? '';
  }

  provideCodeActions(
    document: vscode.TextDocument,
    _range: vscode.Range,
    { diagnostics }: vscode.CodeActionContext,
  ): vscode.CodeAction[] {
    const own = diagnostics.filter(isOfLines);
    const check = own.length > 0 ? this.#checks.checkOf(document) : undefined;
    if (!check) return [];
    const fixes = check.outcome.verdict?.fixes ?? [];
    const offered = fixes.flatMap((fix, n) => this.#actionsOf(document, check, fix, n));
    const action = (title: string, command: string, ...words: unknown[]): vscode.CodeAction => {
      const made = new vscode.CodeAction(title, QuickFix);
      made.command = { title, command, arguments: words };
      made.diagnostics = [...own];
      return made;
    };
    const [problem] = own;
    const node =
      typeof problem.code === 'object'
        ? (JSON.parse(decodeURIComponent(problem.code.target.query)) as unknown[])
        : [];
    return [
      ...offered,
      ...(fixes.length > 0 || isNotebookFile(check.program)
        ? []
        : [action('Find a proven fix (runs the file many times)', Command.FindFix, check.program)]),
      ...(typeof node[1] === 'string'
        ? [action('Show the node in the attention panel', Command.GoToLineNode, ...node)]
        : []),
    ];
  }

  #actionsOf(
    document: vscode.TextDocument,
    check: Check,
    fix: Fix,
    n: number,
  ): vscode.CodeAction[] {
    const isHere = fileOf(check, fix).toString() === document.uri.toString();
    const edit = isHere ? editOf(document, check, fix) : null;
    if (!edit) return [];
    const apply = new vscode.CodeAction(fixTitle(fix), QuickFix);
    apply.edit = edit;
    apply.isPreferred = n === 0;
    const title = `${PREVIEW}: ${fixTitle(fix)}`;
    const preview = new vscode.CodeAction(title, QuickFix);
    const words = [check.program.toString(), n];
    preview.command = { title, command: Command.PreviewFix, arguments: words };
    return [apply, preview];
  }

  /** Looks for fixes and offers the shortest; cancelled, nothing is changed. */
  async find(check: Check): Promise<void> {
    const { program } = check;
    const name = fileName(program);
    if (isNotebookFile(program)) {
      void vscode.window.showInformationMessage('Fixes are looked for in .py files only.');
      return;
    }
    const found = await this.#runs.run(program, { isAsked: true, fix: true });
    if (!found) return;
    const { verdict, tried } = found.outcome;
    const [fix] = verdict?.fixes ?? [];
    if (!verdict || verdict.verdict === 'match') {
      void vscode.window.showInformationMessage(`${name}: nothing is wrong, so nothing is mended.`);
      return;
    }
    if (!fix) {
      const amount = tried
        ? ` ${tried.candidates} edits were looked at, the file was run ${tried.runs} times.`
        : '';
      void vscode.window.showInformationMessage(`${name}: no edit makes all of it right.${amount}`);
      return;
    }
    const answer = await vscode.window.showInformationMessage(fixTitle(fix), APPLY, PREVIEW);
    if (answer === PREVIEW) await this.#preview(found, fix);
    if (answer === APPLY) await take(found, fix);
  }

  #previewAt(program: unknown, n: unknown): Promise<void> | undefined {
    if (typeof program !== 'string' || typeof n !== 'number') return undefined;
    const check = this.#checks.of(vscode.Uri.parse(program));
    const fix = check?.outcome.verdict?.fixes[n];
    return check && fix ? this.#preview(check, fix) : undefined;
  }

  async #preview(check: Check, fix: Fix): Promise<void> {
    const file = fileOf(check, fix);
    const n = (check.outcome.verdict?.fixes ?? []).indexOf(fix);
    const shown = file.with({ scheme: SCHEME, query: String(n) });
    this.#texts.set(shown.toString(), fix.source);
    await vscode.commands.executeCommand(
      'vscode.diff',
      file,
      shown,
      `${fileName(file)}: ${fixTitle(fix)}`,
      { preview: true },
    );
  }
}

async function take(check: Check, fix: Fix): Promise<void> {
  const document = await vscode.workspace.openTextDocument(fileOf(check, fix));
  const edit = editOf(document, check, fix);
  if (edit) await vscode.workspace.applyEdit(edit);
  else
    void vscode.window.showInformationMessage(
      `${fileName(document.uri)} has been changed since the fix was proven. Look for it again.`,
    );
}
