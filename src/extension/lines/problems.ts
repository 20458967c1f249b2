// The wrong statements in Problems, and where a program does not get that far.
import * as vscode from 'vscode';
import { tensorName } from '../../engine/graph.ts';
import type { Detail } from '../../lineRun/details.ts';
import { Command } from '../commands.ts';
import type { Check, Checks } from './checks.ts';
import { commandUri, isFirst, SOURCE } from './told.ts';
import { fileName } from '../uris.ts';
import { documentAt, plainText } from './program.ts';

/** What the code of a problem says where no cause does. */
const CODE = 'lines';

function messageOf({ outcome }: Check, { line }: Detail, first: boolean): string {
  const { node, kind, name, note } = line;
  const what = node === null || kind === 'other' ? name : tensorName(node, kind);
  const cause = first ? outcome.verdict?.causes[0] : undefined;
  if (cause) {
    const title = cause.title.startsWith(what) ? cause.title : `${what}: ${cause.title}`;
    return `${title}. ${cause.why}`;
  }
  const known = first ? (outcome.verdict?.known ?? '') : '';
  const unknown = first && note === '' ? '; the cause is unknown' : '';
  const more = [note, known].filter(Boolean).join('; ');
  return `${what} is wrong here${unknown}.${more ? ` ${more}` : ''}`;
}

/** Columns count characters, where VS Code counts UTF-16. */
const columnAt = (line: string, column: number): number =>
  Array.from(line)
    .slice(0, column - 1)
    .join('').length;

function rangeOf(document: vscode.TextDocument, { line }: Detail): vscode.Range | null {
  const [from, to] = [line.line - 1, Math.min(line.endLine, document.lineCount) - 1];
  if (from > to) return null;
  const begin = columnAt(document.lineAt(from).text, line.column);
  const end = columnAt(document.lineAt(to).text, line.endColumn);
  return new vscode.Range(from, begin, to, end);
}

export class LineProblems implements vscode.Disposable {
  readonly #checks: Checks;
  readonly #collection = vscode.languages.createDiagnosticCollection('attention lines');
  readonly #subscription: vscode.Disposable;
  #publications = 0;

  constructor(checks: Checks) {
    this.#checks = checks;
    this.#subscription = checks.onDidChange(() => void this.#publish());
  }

  dispose(): void {
    this.#subscription.dispose();
    this.#collection.dispose();
  }

  async #publish(): Promise<void> {
    const publication = ++this.#publications;
    const told = new Map<string, { uri: vscode.Uri; problems: vscode.Diagnostic[] }>();
    for (const check of this.#checks.all)
      for (const { uri, problem } of await problemsOf(check)) {
        const known = told.get(uri.toString()) ?? { uri, problems: [] };
        known.problems.push(problem);
        told.set(uri.toString(), known);
      }
    if (publication !== this.#publications) return;
    this.#collection.clear();
    for (const { uri, problems } of told.values()) this.#collection.set(uri, problems);
  }
}

interface Told {
  readonly uri: vscode.Uri;
  readonly problem: vscode.Diagnostic;
}

async function problemsOf(check: Check): Promise<Told[]> {
  const { outcome, program } = check;
  const wrong = (outcome.verdict?.details ?? []).filter(({ line }) => line.status === 'diverges');
  const told: Told[] = [];
  for (const detail of wrong) {
    const document = await documentOf(check, detail.line);
    const range = document && rangeOf(document, detail);
    if (!range) continue;
    const first = isFirst(check, detail);
    const problem = new vscode.Diagnostic(
      range,
      messageOf(check, detail, first),
      first ? vscode.DiagnosticSeverity.Error : vscode.DiagnosticSeverity.Warning,
    );
    problem.source = SOURCE;
    const { node, kind } = detail.line;
    const cause = first ? outcome.verdict?.causes[0]?.id : undefined;
    problem.code = {
      value: cause ?? (first ? 'unknown' : CODE),
      target: vscode.Uri.parse(commandUri(Command.GoToLineNode, program.toString(), node, kind)),
    };
    told.push({ uri: document.uri, problem });
  }
  return [...told, ...(await exceptionOf(check)), ...(await blindOf(check))];
}

/** Lines that cannot be looked into, with what to do instead. */
async function blindOf(check: Check): Promise<Told[]> {
  const told: Told[] = [];
  for (const { message, ...place } of check.outcome.blind) {
    const document = await documentOf(check, place);
    if (!document || place.line > document.lineCount || place.line < 1) continue;
    const { range, firstNonWhitespaceCharacterIndex: begin } = document.lineAt(place.line - 1);
    const problem = new vscode.Diagnostic(
      range.with(range.start.translate(0, begin)),
      message,
      vscode.DiagnosticSeverity.Information,
    );
    problem.source = SOURCE;
    told.push({ uri: document.uri, problem });
  }
  return told;
}

/** The document as it ran: of one that was changed since, nothing is told. */
async function documentOf(
  check: Check,
  place: Parameters<typeof documentAt>[1],
): Promise<vscode.TextDocument | null> {
  const uri = documentAt(check.program, place);
  if (!uri) return null;
  try {
    const document = await vscode.workspace.openTextDocument(uri);
    return check.texts.get(uri.toString()) === plainText(document.getText()) ? document : null;
  } catch {
    return null;
  }
}

/** Where the program ended with an error. */
async function exceptionOf(check: Check): Promise<Told[]> {
  const { exception, isBroken } = check.outcome;
  if (!exception || exception.type === 'SystemExit') return [];
  const { line, cell } = exception;
  const file = exception.file || fileName(check.program);
  const document = await documentOf(check, { file, ...(cell !== undefined && { cell }) });
  if (!document || line > document.lineCount || line < 1) return [];
  const { text } = document.lineAt(line - 1);
  const begin = text.length - text.trimStart().length;
  const [message] = exception.message.split('\n');
  const problem = new vscode.Diagnostic(
    new vscode.Range(line - 1, begin, line - 1, Math.max(begin + 1, text.length)),
    `${exception.type}: ${message}${isBroken ? '' : '. What was computed before is judged.'}`,
    isBroken ? vscode.DiagnosticSeverity.Error : vscode.DiagnosticSeverity.Warning,
  );
  problem.source = SOURCE;
  return [{ uri: document.uri, problem }];
}
