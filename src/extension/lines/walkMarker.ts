// While the panel is stepped: the lines of the person's that compute what the step is about; and a click on a line goes there.
import * as vscode from 'vscode';
import type { Detail, Place } from '../../lineRun/details.ts';
import type { Panels } from '../panels.ts';
import type { Check, Checks } from './checks.ts';
import { isMarked } from './markText.ts';

const isOf = (detail: Detail, places: readonly Place[]): boolean =>
  isMarked(detail) &&
  places.some(({ node, kind }) => detail.place?.node === node && detail.place.kind === kind);

/** What a line (from 0) of the text that ran computes; what is wrong first, then what is made rather than handed on. */
export function placeAt(details: readonly Detail[], at: number): Place | null {
  const rank = ({ line, computes }: Detail): number =>
    line.status === 'diverges' ? 0 : computes ? 1 : 2;
  const found = details
    .filter(({ place, line }) => place && line.line - 1 <= at && line.endLine - 1 >= at)
    .sort((a, b) => rank(a) - rank(b));
  return found[0]?.place ?? null;
}

export class WalkMarker implements vscode.Disposable {
  readonly #panels: Panels;
  readonly #checks: Checks;
  readonly #type = vscode.window.createTextEditorDecorationType({
    isWholeLine: true,
    backgroundColor: new vscode.ThemeColor('editor.stackFrameHighlightBackground'),
    overviewRulerColor: new vscode.ThemeColor('editor.stackFrameHighlightBackground'),
    overviewRulerLane: vscode.OverviewRulerLane.Full,
    // Themes of high contrast have no such ground.
    borderColor: new vscode.ThemeColor('contrastActiveBorder'),
    borderStyle: 'solid',
    borderWidth: '1px 0',
  });
  readonly #subscriptions: vscode.Disposable;
  #last = '';

  constructor(panels: Panels, checks: Checks) {
    this.#panels = panels;
    this.#checks = checks;
    this.#subscriptions = vscode.Disposable.from(
      this.#type,
      panels.onDidChangeWalk(() => this.#follow()),
      checks.onDidChange(() => this.#draw()),
      vscode.window.onDidChangeVisibleTextEditors(() => this.#draw()),
      vscode.window.onDidChangeTextEditorSelection((event) => this.#clicked(event)),
    );
  }

  dispose(): void {
    this.#subscriptions.dispose();
  }

  /** The program whose setup the active panel shows, and what its step is about. */
  #walked(): { check: Check; places: readonly Place[] } | null {
    const panel = this.#panels.active();
    const check =
      panel && this.#checks.all.find(({ setup }) => setup?.toString() === panel.setup.toString());
    return check ? { check, places: panel.places } : null;
  }

  #follow(): void {
    const walked = this.#walked();
    const key = walked ? JSON.stringify([walked.check.program, walked.places]) : '';
    const isNew = key !== this.#last;
    this.#last = key;
    const lines = this.#draw();
    if (!isNew) return;
    for (const { editor, ranges } of lines)
      if (ranges.length > 0)
        editor.revealRange(ranges[0], vscode.TextEditorRevealType.InCenterIfOutsideViewport);
  }

  #draw(): { editor: vscode.TextEditor; ranges: vscode.Range[] }[] {
    const walked = this.#walked();
    return vscode.window.visibleTextEditors.map((editor) => {
      const shown = walked && this.#checks.shown(editor.document);
      const details =
        shown && shown.check === walked.check
          ? shown.details.filter((each) => isOf(each, walked.places))
          : [];
      const ranges = details.flatMap(({ line }) => {
        const at = shown?.now(line.line - 1) ?? null;
        const { lineCount } = editor.document;
        if (at === null || at >= lineCount) return [];
        return [new vscode.Range(at, 0, Math.min(lineCount - 1, at + line.endLine - line.line), 0)];
      });
      editor.setDecorations(this.#type, ranges);
      return { editor, ranges };
    });
  }

  /** A click, not a selection: to the line's node, where its panel is shown. */
  #clicked({ textEditor, kind, selections }: vscode.TextEditorSelectionChangeEvent): void {
    if (kind !== vscode.TextEditorSelectionChangeKind.Mouse) return;
    const [selection] = selections;
    if (selections.length !== 1 || !selection.isEmpty) return;
    const shown = this.#checks.shown(textEditor.document);
    const setup = shown?.check.setup;
    const panel = setup && this.#panels.of(setup);
    if (!shown || !panel || panel.column === undefined) return;
    const details = shown.isStale ? [] : shown.details;
    const place = placeAt(details, selection.active.line);
    if (place) panel.goTo(place.node, place.kind);
  }
}
