// Proven fixes: looked for when asked, offered as quick fixes, shown as a diff before they are taken.
import { dirname, resolve } from 'node:path';
import * as vscode from 'vscode';
import type { Fix } from '../../lines/repair/fix.ts';
import { Command } from '../commands.ts';
import { fileName } from '../uris.ts';
import type { Check, Checks } from './checks.ts';
import { fixTitle, lineEdit } from './lineEdit.ts';
import { documentAt, plainText } from './program.ts';
import type { Runs } from './runs.ts';
import { isOfLines } from './told.ts';

const SCHEME = 'attention-fix';
const APPLY = 'Apply';
const PREVIEW = 'Preview';

const { QuickFix } = vscode.CodeActionKind;

/** A text that a fix changes, and what it becomes; the first one is told of. */
interface Change {
  readonly uri: vscode.Uri;
  readonly after: string;
}

/** Of a notebook its cells, as long as it is open. */
function changesOf({ program }: Check, { file, cells, source }: Fix): Change[] {
  if (!cells)
    return [{ uri: vscode.Uri.file(resolve(dirname(program.fsPath), file)), after: source }];
  return cells.flatMap(({ cell, source: after }) => {
    const uri = documentAt(program, { file, cell });
    return uri ? [{ uri, after }] : [];
  });
}

/** Null where a document is not the one that ran. */
async function editOf(check: Check, fix: Fix): Promise<vscode.WorkspaceEdit | null> {
  const edit = new vscode.WorkspaceEdit();
  const changes = changesOf(check, fix);
  for (const { uri, after } of changes) {
    const document = await vscode.workspace.openTextDocument(uri);
    if (!putInto(edit, document, check, after)) return null;
  }
  return changes.length > 0 ? edit : null;
}

function putInto(
  edit: vscode.WorkspaceEdit,
  document: vscode.TextDocument,
  check: Check,
  after: string,
): boolean {
  const text = plainText(document.getText());
  if (check.texts.get(document.uri.toString()) !== text) return false;
  const { start, end, lines } = lineEdit(text, plainText(after).replace(/^\uFEFF/, ''));
  const isLast = end >= document.lineCount;
  const range = document.validateRange(new vscode.Range(start, 0, end, 0));
  const put = lines.map((line, n) => (isLast && n === lines.length - 1 ? line : `${line}\n`));
  edit.replace(document.uri, range, put.join(''));
  return true;
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

  async provideCodeActions(
    document: vscode.TextDocument,
    _range: vscode.Range,
    { diagnostics }: vscode.CodeActionContext,
  ): Promise<vscode.CodeAction[]> {
    const own = diagnostics.filter(isOfLines);
    const check = own.length > 0 ? this.#checks.checkOf(document) : undefined;
    if (!check) return [];
    const fixes = check.outcome.verdict?.fixes ?? [];
    const offered = await Promise.all(
      fixes.map((fix, n) => this.#actionsOf(document, check, fix, n)),
    );
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
      ...offered.flat(),
      ...(fixes.length > 0
        ? []
        : [action('Find a proven fix (runs the file many times)', Command.FindFix, check.program)]),
      ...(typeof node[1] === 'string'
        ? [action('Show the node in the attention panel', Command.GoToLineNode, ...node)]
        : []),
    ];
  }

  async #actionsOf(
    document: vscode.TextDocument,
    check: Check,
    fix: Fix,
    n: number,
  ): Promise<vscode.CodeAction[]> {
    const key = document.uri.toString();
    const isHere = changesOf(check, fix).some(({ uri }) => uri.toString() === key);
    const edit = isHere ? await editOf(check, fix) : null;
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
        ? ` ${tried.candidates} edits were looked at, the file was run ${tried.runs} times${tried.isStopped ? '; then the time was over' : ''}.`
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
    const [first] = changesOf(check, fix);
    if (!first) return;
    const n = (check.outcome.verdict?.fixes ?? []).indexOf(fix);
    const shown = first.uri.with({
      scheme: SCHEME,
      fragment: '',
      query: `${n} ${first.uri.fragment}`,
    });
    this.#texts.set(shown.toString(), first.after);
    await vscode.commands.executeCommand(
      'vscode.diff',
      first.uri,
      shown,
      `${fileName(check.program)}: ${fixTitle(fix)}`,
      { preview: true },
    );
  }
}

async function take(check: Check, fix: Fix): Promise<void> {
  const edit = await editOf(check, fix);
  if (edit) await vscode.workspace.applyEdit(edit);
  else
    void vscode.window.showInformationMessage(
      `${fileName(check.program)} has been changed since the fix was proven. Look for it again.`,
    );
}
