// The programs that were checked: what was last said of each, and whether it still holds.
import { dirname, resolve } from 'node:path';
import * as vscode from 'vscode';
import type { Detail } from '../../lineRun/details.ts';
import type { Interpreter } from '../settings.ts';
import type { Outcome } from './messages.ts';
import { type Edit, lineAfter } from './movedLines.ts';
import { notebookAt, notebookOf, plainText } from './program.ts';

/** What was said of a program. */
export interface Check {
  readonly program: vscode.Uri;
  readonly interpreter: Interpreter;
  readonly outcome: Outcome;
  /** The setup that the panel shows: saved, or inferred. */
  readonly setup: vscode.Uri | null;
  readonly isInferred: boolean;
  /** Of each document that ran, by its address: the text that did. */
  readonly texts: ReadonlyMap<string, string>;
}

/** The lines of one document. */
export interface Shown {
  readonly check: Check;
  readonly details: readonly Detail[];
  /** The document has been changed since. */
  readonly isStale: boolean;
  /** Where a line of the text that ran is now, both from 0; null where it was edited. */
  now(line: number): number | null;
}

/** The texts of a notebook's cells by their addresses. */
export function cellTexts(program: vscode.Uri): Map<string, string> {
  const cells = notebookAt(program)?.getCells() ?? [];
  return new Map(
    cells.map(({ document }) => [document.uri.toString(), plainText(document.getText())]),
  );
}

/** Of the files that ran. */
export function fileTexts(program: vscode.Uri, { files }: Outcome): Map<string, string> {
  const folder = dirname(program.fsPath);
  return new Map(
    files.map(({ path, source }) => [
      vscode.Uri.file(resolve(folder, path)).toString(),
      plainText(source),
    ]),
  );
}

export class Checks implements vscode.Disposable {
  readonly #checks = new Map<string, Check>();
  readonly #running = new Map<string, string>();
  /** Of documents that ran, since then. */
  readonly #edits = new Map<string, Edit[]>();
  readonly #watcher = vscode.workspace.onDidChangeTextDocument((event) => this.#edited(event));
  readonly #changed = new vscode.EventEmitter<vscode.Uri>();
  /** Something else is said of this program, or it began to run. */
  readonly onDidChange = this.#changed.event;

  get all(): readonly Check[] {
    return [...this.#checks.values()];
  }

  of(program: vscode.Uri): Check | undefined {
    return this.#checks.get(program.toString());
  }

  set(check: Check): void {
    const key = check.program.toString();
    // The last one first: of a helper that two programs use, that says it.
    this.#checks.delete(key);
    this.#checks.set(key, check);
    for (const document of check.texts.keys()) this.#edits.delete(document);
    this.#changed.fire(check.program);
  }

  forget(program: vscode.Uri): void {
    if (this.#checks.delete(program.toString())) this.#changed.fire(program);
  }

  /** What a running program is told to run with; undefined while it does not run. */
  running(program: vscode.Uri): string | undefined {
    return this.#running.get(program.toString());
  }

  setRunning(program: vscode.Uri, words: string | null): void {
    if (words === null) this.#running.delete(program.toString());
    else this.#running.set(program.toString(), words);
    this.#changed.fire(program);
  }

  /** The last check in which this document ran. */
  checkOf(document: vscode.TextDocument): Check | undefined {
    const key = document.uri.toString();
    const notebook = notebookOf(document)?.uri.toString();
    return [...this.#checks.values()]
      .reverse()
      .find(({ texts, program }) => texts.has(key) || program.toString() === notebook);
  }

  /** What was said of the lines of this document; null where it did not run. */
  shown(document: vscode.TextDocument): Shown | null {
    const check = this.checkOf(document);
    if (!check) return null;
    const text = check.texts.get(document.uri.toString());
    const isStale = text === undefined || text !== plainText(document.getText());
    const edits = this.#edits.get(document.uri.toString()) ?? [];
    const now = (line: number): number | null => (isStale ? lineAfter(line, edits) : line);
    return { check, details: detailsIn(check, document), isStale, now };
  }

  #edited({ document, contentChanges }: vscode.TextDocumentChangeEvent): void {
    const check = contentChanges.length > 0 && this.checkOf(document);
    if (!check) return;
    const key = document.uri.toString();
    // As it ran again: an edit that was undone.
    if (check.texts.get(key) === plainText(document.getText())) this.#edits.delete(key);
    else this.#edits.set(key, [...(this.#edits.get(key) ?? []), ...contentChanges.map(editOf)]);
    this.#changed.fire(check.program);
  }

  dispose(): void {
    this.#watcher.dispose();
    this.#changed.dispose();
  }
}

const editOf = ({ range, text }: vscode.TextDocumentContentChangeEvent): Edit => ({
  start: range.start.line,
  end: range.end.line,
  isWholeLines: range.start.character === 0 && range.end.character === 0 && /\n$|^$/.test(text),
  breaks: text.split('\n').length - 1,
});

function detailsIn({ program, outcome }: Check, document: vscode.TextDocument): Detail[] {
  const details = outcome.verdict?.details ?? [];
  const notebook = notebookOf(document);
  if (notebook) {
    const index = notebook.getCells().findIndex((cell) => cell.document === document);
    return details.filter(({ line }) => line.cell === index);
  }
  const folder = dirname(program.fsPath);
  const { fsPath } = document.uri;
  return details.filter(
    ({ line }) => line.cell === undefined && resolve(folder, line.file) === fsPath,
  );
}
