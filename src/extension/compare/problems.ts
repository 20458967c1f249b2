// What is wrong in a person's tensors, in Problems: at the line that logged them where that is known, with a way to the panel.
import * as vscode from 'vscode';
import { Command } from '../commands.ts';
import type { Compared } from './comparison.ts';
import { entriesOf, type Entry } from './entries.ts';

const SOURCE = 'attention';

/** Of one panel's comparison. */
export interface Finding {
  readonly setup: vscode.Uri;
  /** Where it is told if no line is known. */
  readonly file: vscode.Uri;
  readonly compared: Compared;
}

/** Marks with which the page opens a cause: "1"; "unknown" where there is none. */
const explainUri = (setup: vscode.Uri, cause: string): vscode.Uri => {
  const words = encodeURIComponent(JSON.stringify([setup.toString(), cause]));
  return vscode.Uri.parse(`command:${Command.Explain}?${words}`);
};

export class ComparisonProblems implements vscode.Disposable {
  readonly #collection = vscode.languages.createDiagnosticCollection('attention comparison');
  readonly #findings = new Map<string, Finding>();
  #publications = 0;
  readonly #actions = vscode.languages.registerCodeActionsProvider('*', {
    provideCodeActions: (_document, _range, { diagnostics }) => explainActions(diagnostics),
  });

  /** Replaces what was told of this panel's comparison. */
  show(finding: Finding): void {
    this.#findings.set(finding.setup.toString(), finding);
    void this.#publish();
  }

  forget(setup: vscode.Uri): void {
    if (this.#findings.delete(setup.toString())) void this.#publish();
  }

  dispose(): void {
    this.#collection.dispose();
    this.#actions.dispose();
  }

  async #publish(): Promise<void> {
    const publication = ++this.#publications;
    const told: [vscode.Uri, vscode.Diagnostic[]][] = [];
    for (const { setup, file, compared } of this.#findings.values()) {
      for (const entry of entriesOf(compared.report)) {
        const { uri, range } = (await lineOf(compared, entry)) ?? { uri: file, range: FIRST_LINE };
        const problem = new vscode.Diagnostic(range, entry.message);
        problem.source = SOURCE;
        problem.code = { value: entry.code, target: explainUri(setup, entry.cause) };
        told.push([uri, [problem]]);
      }
    }
    // Reading the lines takes its time: a later publication may have overtaken this one.
    if (publication !== this.#publications) return;
    this.#collection.clear();
    // Entries of one file add up in one call.
    this.#collection.set(told);
  }
}

const FIRST_LINE = new vscode.Range(0, 0, 0, 0);

/** The line of the person's that logged the tensor, if the trace says so and the file is there. */
async function lineOf(
  { lines, tensors }: Compared,
  { node: { node, kind } }: Entry,
): Promise<{ uri: vscode.Uri; range: vscode.Range } | null> {
  const name = tensors.find((each) => each.node === node && each.kind === kind)?.name;
  const line = name === undefined ? undefined : lines.get(name);
  if (!line) return null;
  try {
    const uri = vscode.Uri.file(line.file);
    const document = await vscode.workspace.openTextDocument(uri);
    const { range, firstNonWhitespaceCharacterIndex } = document.lineAt(line.line - 1);
    return { uri, range: range.with(range.start.translate(0, firstNonWhitespaceCharacterIndex)) };
  } catch {
    // Moved, edited since, or of another machine.
    return null;
  }
}

function explainActions(diagnostics: readonly vscode.Diagnostic[]): vscode.CodeAction[] {
  return diagnostics.flatMap((diagnostic) => {
    const { source, code } = diagnostic;
    if (source !== SOURCE || typeof code !== 'object') return [];
    const { path, query } = code.target;
    if (path !== Command.Explain) return [];
    const action = new vscode.CodeAction(
      'Show the cause in the attention panel',
      vscode.CodeActionKind.QuickFix,
    );
    action.diagnostics = [diagnostic];
    action.isPreferred = true;
    action.command = {
      command: Command.Explain,
      title: action.title,
      arguments: JSON.parse(decodeURIComponent(query)) as string[],
    };
    return [action];
  });
}
