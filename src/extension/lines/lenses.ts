// Above what seems to compute attention: "Check this attention", and what the last check said.
import * as vscode from 'vscode';
import { tensorName } from '../../engine/graph.ts';
import { cellNumber } from '../../lines/recorded/place.ts';
import { Command } from '../commands.ts';
import type { Check, Checks } from './checks.ts';
import { notebookOf } from './program.ts';
import { type Offer, offersOf } from './seems.ts';

const PYTHON: vscode.DocumentSelector = { language: 'python' };

/** "✗ dS, line 28"; "✓ right". */
export function verdictWords({ outcome, program }: Check): string {
  const { verdict } = outcome;
  if (!verdict) return '';
  if (verdict.verdict === 'match') return '✓ all that was computed is right';
  const { first } = verdict;
  if (!first) return '';
  const what =
    first.node === null || first.kind === 'other'
      ? 'the first mistake'
      : tensorName(first.node, first.kind);
  const cell = first.cell === undefined ? '' : `cell ${cellNumber(first.cell)}, `;
  const isElsewhere = first.cell === undefined && !program.path.endsWith(`/${first.file}`);
  return `✗ ${what} is wrong: ${isElsewhere ? `${first.file}, ` : ''}${cell}line ${first.line}`;
}

export class Lenses implements vscode.CodeLensProvider {
  readonly #checks: Checks;
  readonly #changed = new vscode.EventEmitter<void>();
  readonly onDidChangeCodeLenses = this.#changed.event;

  constructor(checks: Checks) {
    this.#checks = checks;
  }

  register(): vscode.Disposable {
    return vscode.Disposable.from(
      this.#changed,
      this.#checks.onDidChange(() => this.#changed.fire()),
      vscode.languages.registerCodeLensProvider(PYTHON, this),
    );
  }

  provideCodeLenses(document: vscode.TextDocument): vscode.CodeLens[] {
    const program = notebookOf(document)?.uri ?? document.uri;
    if (program.scheme !== 'file') return [];
    return offersOf(document.getText(), program.path).flatMap((offer) =>
      this.#lensesOf(document, program, offer),
    );
  }

  #lensesOf(
    document: vscode.TextDocument,
    program: vscode.Uri,
    { line, endLine, name }: Offer,
  ): vscode.CodeLens[] {
    const range = new vscode.Range(line, 0, line, 0);
    const check = new vscode.CodeLens(range, {
      title: this.#checks.running(program) ? '$(sync~spin) Checking' : 'Check this attention',
      tooltip:
        'Runs the file and says of each line which step of attention it computes, and whether it is right',
      command: Command.CheckPython,
      arguments: [program, name ? { name, line, endLine } : undefined],
    });
    const shown = this.#checks.shown(document);
    const words = shown && !shown.isStale ? verdictWords(shown.check) : '';
    const isOf = shown?.details.some(
      ({ line: each }) => each.line - 1 >= line && each.line - 1 <= endLine,
    );
    if (!words || !isOf) return [check];
    const isWrong = shown?.check.outcome.verdict?.first;
    return [
      check,
      new vscode.CodeLens(range, {
        title: words,
        command: isWrong ? Command.FirstWrongLine : Command.OpenLinesPanel,
        arguments: [program],
      }),
    ];
  }
}
