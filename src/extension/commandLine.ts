// The bundled command line, run by VS Code's own Node with the interpreter that runs a person's code here.
import * as vscode from 'vscode';
import { start } from '../process/ownProcess.ts';
import { pythonInterpreter } from './settings.ts';

export interface CommandLine {
  readonly command: string;
  readonly args: string[];
  readonly env: Record<string, string>;
}

/** Of one run, in milliseconds. */
const LIMIT = 5 * 60_000;

export async function commandLine(
  extension: vscode.Uri,
  of: vscode.Uri | undefined,
): Promise<CommandLine> {
  const { path, from } = await pythonInterpreter(of);
  return {
    command: process.execPath,
    args: [vscode.Uri.joinPath(extension, 'dist', 'cli.js').fsPath],
    env: { ELECTRON_RUN_AS_NODE: '1', ...(from !== 'default' && { ATTENTION_PYTHON: path }) },
  };
}

export interface Run {
  readonly words: readonly string[];
  readonly cwd: vscode.Uri | undefined;
  readonly stdin?: string;
}

/** What it prints, where it ends with 0 or 1; rejects with its one line where it does not. */
export async function runCommandLine(
  extension: vscode.Uri,
  { words, cwd, stdin }: Run,
  token: vscode.CancellationToken,
): Promise<string> {
  const { command, args, env } = await commandLine(extension, cwd);
  const cancel = new AbortController();
  token.onCancellationRequested(() => cancel.abort());
  let [stdout, stderr] = ['', ''];
  const { code, timedOut } = await start({
    ...{ command, args: [...args, ...words], env: { ...process.env, ...env } },
    ...(cwd && { cwd: cwd.fsPath }),
    ...(stdin !== undefined && { stdin }),
    ...{ signal: cancel.signal, timeout: LIMIT },
    onStdout: (text) => (stdout += text),
    onStderr: (text) => (stderr += text),
  }).done;
  if (code === 0 || code === 1) return stdout;
  const said = stderr.trim().split('\n').at(-1);
  throw new Error(timedOut ? `no answer within ${LIMIT / 60_000} minutes` : said || 'it ended');
}
