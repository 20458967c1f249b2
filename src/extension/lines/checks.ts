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

/** The addresses of a notebook's cells. */
export const cellAddresses = (program: vscode.Uri): string[] =>
  (notebookAt(program)?.getCells() ?? []).map(({ document }) => document.uri.toString());

/** What ran, by addresses: files, and cells that had these addresses. What is in the editor by now may be another text. */
export function textsOf(
  program: vscode.Uri,
  { files, cells }: Outcome,
  addresses: readonly string[],
): Map<string, string> {
  const folder = dirname(program.fsPath);
  const all = [
    ...files.map(({ path, source }) => [vscode.Uri.file(resolve(folder, path)).toString(), source]),
    ...cells.flatMap(({ cell, source }) => (cell in addresses ? [[addresses[cell], source]] : [])),
  ];
  return new Map(all.map(([address, source]) => [address, plainText(source)]));
}

/** An edit, and when it was made. */
interface Made extends Edit {
  readonly at: number;
}

export class Checks implements vscode.Disposable {
  readonly #checks = new Map<string, Check>();
  readonly #running = new Map<string, string>();
  /** Of documents that ran, since then. */
  readonly #edits = new Map<string, Made[]>();
  #count = 0;
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

  /** For `set`: what is edited from here on is not what ran. */
  get now(): number {
    return this.#count;
  }

  /** `began`: `now` when it began to run. */
  set(check: Check, began: number): void {
    const key = check.program.toString();
    // The last one first: of a helper that two programs use, that says it.
    this.#checks.delete(key);
    this.#checks.set(key, check);
    for (const document of check.texts.keys())
      this.#edits.set(
        document,
        (this.#edits.get(document) ?? []).filter(({ at }) => at > began),
      );
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
    const check = this.checkOf(document);
    if (contentChanges.length === 0 || (!check && this.#running.size === 0)) return;
    const key = document.uri.toString();
    const at = ++this.#count;
    const made = contentChanges.map((change): Made => ({ ...editOf(change), at }));
    this.#edits.set(key, [...(this.#edits.get(key) ?? []), ...made]);
    if (!check) return;
    // As it ran again: an edit that was undone. What runs now may be a text between.
    const isBack = check.texts.get(key) === plainText(document.getText());
    if (isBack && !this.running(check.program)) this.#edits.delete(key);
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
