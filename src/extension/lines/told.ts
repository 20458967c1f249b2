// How a problem of a line is known from others, and what of a check is its first mistake.
import type * as vscode from 'vscode';
import type { Detail } from '../../lineRun/details.ts';
import { Command } from '../commands.ts';
import type { Check } from './checks.ts';

export const SOURCE = 'attention';

/** The address of a command with its arguments, for links. */
export const commandUri = (command: string, ...words: readonly unknown[]): string =>
  `command:${command}?${encodeURIComponent(JSON.stringify(words))}`;

/** Whether a problem is one of a wrong line; its code leads to the node. */
export const isOfLines = ({ source, code }: vscode.Diagnostic): boolean =>
  source === SOURCE && typeof code === 'object' && code.target.path === Command.GoToLineNode;

/** Whether this is the statement that is wrong first. */
export const isFirst = ({ outcome }: Check, { line }: Detail): boolean => {
  const first = outcome.verdict?.first;
  return (
    line.status === 'diverges' &&
    first?.file === line.file &&
    first.cell === line.cell &&
    first.line === line.line
  );
};
