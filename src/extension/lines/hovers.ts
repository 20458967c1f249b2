// Over a marked line: what it computes, and of a wrong one the numbers and why.
import * as vscode from 'vscode';
import { Command } from '../commands.ts';
import type { Checks } from './checks.ts';
import type { Ground } from './heatmap.ts';
import { hoverText } from './hoverText.ts';
import { isMarked, wrongFirst } from './markText.ts';
import { commandUri, isFirst, isOfLines } from './told.ts';

const { ColorThemeKind } = vscode;

function ground(): Ground {
  const { kind } = vscode.window.activeColorTheme;
  return kind === ColorThemeKind.Light || kind === ColorThemeKind.HighContrastLight
    ? 'light'
    : 'dark';
}

const isTold = ({ uri }: vscode.TextDocument, position: vscode.Position): boolean =>
  vscode.languages
    .getDiagnostics(uri)
    .some((problem) => isOfLines(problem) && problem.range.contains(position));

export class Hovers implements vscode.HoverProvider {
  readonly #checks: Checks;

  constructor(checks: Checks) {
    this.#checks = checks;
  }

  register(): vscode.Disposable {
    return vscode.languages.registerHoverProvider({ language: 'python' }, this);
  }

  provideHover(document: vscode.TextDocument, position: vscode.Position): vscode.Hover | undefined {
    const shown = this.#checks.shown(document);
    if (!shown) return undefined;
    const { check, isStale } = shown;
    const details = shown.details.filter(
      (each) =>
        isMarked(each) &&
        shown.now(each.line.line - 1) !== null &&
        (shown.now(each.line.line - 1) as number) <= position.line &&
        (shown.now(each.line.endLine - 1) ?? -1) >= position.line,
    );
    if (details.length === 0) return undefined;
    return new vscode.Hover(
      wrongFirst(details).map((detail) => {
        const { place } = detail;
        const text = hoverText(detail, {
          ground: ground(),
          cause: (isFirst(check, detail) && check.outcome.verdict?.causes[0]) || null,
          isStale,
          isTold: isTold(document, position),
          goTo:
            place && check.setup
              ? commandUri(Command.GoToLineNode, check.program.toString(), place.node, place.kind)
              : null,
        });
        const markdown = new vscode.MarkdownString(text);
        markdown.isTrusted = { enabledCommands: [Command.GoToLineNode] };
        return markdown;
      }),
    );
  }
}
