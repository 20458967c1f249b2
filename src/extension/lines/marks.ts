// At the end of a line: which node it computes and whether it is right.
import * as vscode from 'vscode';
import { marksEnabled, onDidChangeMarks } from '../settings.ts';
import type { Checks } from './checks.ts';
import { type MarkKind, marksOf } from './markText.ts';

const MARGIN = '0 0 0 2em';
/** Of marks that an edit has overtaken. */
const DIM = '0.4';

const KINDS: readonly MarkKind[] = ['right', 'wrong', 'doubtful'];

export class Marks implements vscode.Disposable {
  readonly #checks: Checks;
  readonly #types = new Map<MarkKind, vscode.TextEditorDecorationType>();
  readonly #subscriptions: vscode.Disposable;

  constructor(checks: Checks) {
    this.#checks = checks;
    for (const kind of KINDS)
      this.#types.set(
        kind,
        vscode.window.createTextEditorDecorationType({
          rangeBehavior: vscode.DecorationRangeBehavior.ClosedClosed,
          ...(kind === 'wrong' && {
            overviewRulerColor: new vscode.ThemeColor('attention.wrong'),
            overviewRulerLane: vscode.OverviewRulerLane.Right,
          }),
        }),
      );
    this.#subscriptions = vscode.Disposable.from(
      ...this.#types.values(),
      checks.onDidChange(() => this.#drawAll()),
      vscode.window.onDidChangeVisibleTextEditors(() => this.#drawAll()),
      onDidChangeMarks(() => this.#drawAll()),
    );
    this.#drawAll();
  }

  dispose(): void {
    this.#subscriptions.dispose();
  }

  #drawAll(): void {
    for (const editor of vscode.window.visibleTextEditors) this.#draw(editor);
  }

  #draw(editor: vscode.TextEditor): void {
    const { document } = editor;
    const shown = marksEnabled() ? this.#checks.shown(document) : null;
    const marks = shown
      ? marksOf(shown.details).flatMap((mark) => {
          const line = shown.now(mark.line);
          return line === null || line >= document.lineCount ? [] : [{ ...mark, line }];
        })
      : [];
    for (const [kind, type] of this.#types)
      editor.setDecorations(
        type,
        marks
          .filter((mark) => mark.kind === kind)
          .map(({ line, text }): vscode.DecorationOptions => {
            const { end } = document.lineAt(line).range;
            return {
              range: new vscode.Range(end, end),
              renderOptions: {
                after: {
                  contentText: text,
                  margin: MARGIN,
                  color: new vscode.ThemeColor(`attention.${kind}`),
                  fontStyle: 'normal',
                  ...(shown?.isStale && { textDecoration: `none; opacity: ${DIM}` }),
                },
              },
            };
          }),
      );
  }
}
