// In the status bar, while a program that was checked is in the editor: what was said, and by which interpreter.
import { placeWords } from '../../lines/recorded/place.ts';
import * as vscode from 'vscode';
import { Command } from '../commands.ts';
import type { Check, Checks } from './checks.ts';
import { escapeMarkdown } from './hoverText.ts';
import { verdictWords } from './lenses.ts';
import { notebookOf } from './program.ts';

export class LinesStatus implements vscode.Disposable {
  readonly #checks: Checks;
  readonly #item = vscode.window.createStatusBarItem(
    'attention.lines',
    vscode.StatusBarAlignment.Left,
    0,
  );
  readonly #subscriptions: vscode.Disposable;

  constructor(checks: Checks) {
    this.#checks = checks;
    this.#item.name = 'Attention';
    this.#subscriptions = vscode.Disposable.from(
      this.#item,
      checks.onDidChange(() => this.#show()),
      vscode.window.onDidChangeActiveTextEditor(() => this.#show()),
      vscode.window.onDidChangeActiveNotebookEditor(() => this.#show()),
    );
  }

  dispose(): void {
    this.#subscriptions.dispose();
  }

  #show(): void {
    const document = vscode.window.activeTextEditor?.document;
    const notebook =
      vscode.window.activeNotebookEditor?.notebook ?? (document && notebookOf(document));
    const program = notebook?.uri ?? document?.uri;
    const running = program && this.#checks.running(program);
    const check = notebook
      ? this.#checks.of(notebook.uri)
      : document && this.#checks.checkOf(document);
    if (running !== undefined) {
      this.#item.text = '$(sync~spin) Attention';
      this.#item.tooltip = `Checking ${running}`;
      this.#item.command = undefined;
    } else if (check) {
      const isWrong = check.outcome.verdict?.verdict === 'diverges';
      this.#item.text = wordsOf(check);
      this.#item.tooltip = tooltipOf(check);
      this.#item.command = {
        title: 'Show',
        command: isWrong ? Command.FirstWrongLine : Command.CheckPython,
        arguments: [check.program],
      };
    } else {
      this.#item.hide();
      return;
    }
    this.#item.show();
  }
}

function wordsOf(check: Check): string {
  const { verdict } = check.outcome;
  if (!verdict) return '$(question) Attention: nothing found';
  const words = verdictWords(check).replace(/^[✓✗] /, '');
  const { exception } = check.outcome;
  if (verdict.verdict === 'match' && exception && exception.type !== 'SystemExit')
    return `$(warning) Attention: right, until ${exception.type} in line ${exception.line}`;
  return verdict.verdict === 'match'
    ? '$(pass) Attention: right'
    : `$(error) Attention: ${words || 'wrong'}`;
}

/** Which interpreter, which setup, and where each entry of an inferred one was found. */
function tooltipOf({ interpreter, outcome, isInferred, setup }: Check): vscode.MarkdownString {
  const { verdict, problem, took, exception } = outcome;
  const seconds = ((took.recording + took.judging) / 1000).toFixed(1);
  const parts = [
    `Run by ${escapeMarkdown(interpreter.path)} (${interpreter.from}) in ${seconds} s.`,
    ...(problem ? [escapeMarkdown(problem)] : []),
    ...(exception && verdict ? [escapeMarkdown(`It ended with ${exception.type}.`)] : []),
    ...(verdict?.notes ?? []).map(escapeMarkdown),
  ];
  if (verdict && verdict.notShown.length > 0) {
    const rows = verdict.notShown.map(
      ({ because, hides }) => `- ${escapeMarkdown(`${because}: ${hides}`)}`,
    );
    parts.push(`What this run could not have shown:\n\n${rows.join('\n')}`);
  }
  if (verdict && isInferred) {
    const rows = verdict.inferred.map(
      ({ entry, from, sure, note }) =>
        `- ${escapeMarkdown(entry)}${sure ? '' : ' (a guess)'}: ${escapeMarkdown(`${note}; ${placeWords(from)}`)}`,
    );
    parts.push(`The setup was inferred:\n\n${rows.join('\n')}`);
  } else if (setup) parts.push(`Its setup is ${escapeMarkdown(setup.path.replace(/^.*\//, ''))}.`);
  return new vscode.MarkdownString(parts.join('\n\n'));
}
