// While a program is paused and its marks are off: what the last check said of the lines, as inline values.
import * as vscode from 'vscode';
import { marksEnabled } from '../settings.ts';
import type { Checks } from './checks.ts';
import { marksOf } from './markText.ts';

export class LineValues implements vscode.InlineValuesProvider {
  readonly #checks: Checks;
  readonly #changed = new vscode.EventEmitter<void>();
  readonly onDidChangeInlineValues = this.#changed.event;

  constructor(checks: Checks) {
    this.#checks = checks;
  }

  register(): vscode.Disposable {
    return vscode.Disposable.from(
      this.#changed,
      this.#checks.onDidChange(() => this.#changed.fire()),
      vscode.languages.registerInlineValuesProvider({ language: 'python' }, this),
    );
  }

  /** With the marks on, they stand there already. */
  provideInlineValues(
    document: vscode.TextDocument,
    viewPort: vscode.Range,
    { stoppedLocation }: vscode.InlineValueContext,
  ): vscode.InlineValue[] {
    const shown = marksEnabled() ? null : this.#checks.shown(document);
    if (!shown || shown.isStale) return [];
    return marksOf(shown.details)
      .filter(({ line }) => viewPort.contains(new vscode.Position(line, 0)))
      .filter(({ line }) => line <= stoppedLocation.end.line)
      .map(({ line, text }) => new vscode.InlineValueText(document.lineAt(line).range, text));
  }
}
