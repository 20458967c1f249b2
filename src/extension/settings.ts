// The person's settings, attention.* in package.json.
import * as vscode from 'vscode';
import type { Look } from '../protocol.ts';

const SECTION = 'attention';

type PanelLocation = 'auto' | 'beside' | 'active';

const read = (key: string): unknown => vscode.workspace.getConfiguration(SECTION).get(key);

export function panelLocation(): PanelLocation {
  const location = read('panelLocation');
  return location === 'beside' || location === 'active' ? location : 'auto';
}

const [FEWEST_DIGITS, MOST_DIGITS] = [2, 12];

/** How numbers and colours are shown. What is no number of digits by hand is the nearest that is one. */
export function look(): Look {
  const digits = Math.round(Number(read('digits')));
  return {
    digits: Math.min(MOST_DIGITS, Math.max(FEWEST_DIGITS, digits || 4)),
    colorScale: read('colorScale') === 'shared' ? 'shared' : 'perTensor',
  };
}

export const onDidChangeLook = (changed: () => void): vscode.Disposable =>
  vscode.workspace.onDidChangeConfiguration((event) => {
    if (
      [`${SECTION}.digits`, `${SECTION}.colorScale`].some((key) => event.affectsConfiguration(key))
    )
      changed();
  });

/** Marks at the ends of lines; without them they are shown of a paused program alone. */
export const marksEnabled = (): boolean => read('lines.decorations') !== false;

export const runsOnSave = (): boolean => read('lines.runOnSave') !== false;

export const onDidChangeMarks = (changed: () => void): vscode.Disposable =>
  vscode.workspace.onDidChangeConfiguration((event) => {
    if (event.affectsConfiguration(`${SECTION}.lines`)) changed();
  });

const [SHORTEST, LONGEST] = [1, 3600];

/** Seconds for which a program that is checked may run. */
export function linesTimeout(): number {
  const seconds = Number(read('lines.timeout'));
  return Math.min(LONGEST, Math.max(SHORTEST, seconds || 60));
}

/** A Python interpreter and why it is this one. */
export interface Interpreter {
  readonly path: string;
  readonly from: 'setting' | 'Python extension' | 'default';
}

/** The part of the Python extension's API that is used here. */
interface PythonApi {
  readonly environments?: {
    getActiveEnvironmentPath(resource?: vscode.Uri): { readonly path: string };
    resolveEnvironment(path: {
      readonly path: string;
    }): Promise<{ readonly executable?: { readonly uri?: vscode.Uri } } | undefined>;
  };
}

/** The interpreter that runs the person's code: of the setting, else what the Python extension has selected. */
export async function pythonInterpreter(resource?: vscode.Uri): Promise<Interpreter> {
  const set = vscode.workspace.getConfiguration(SECTION, resource).get<string>('python')?.trim();
  if (set) return { path: set, from: 'setting' };
  const extension = vscode.extensions.getExtension<PythonApi>('ms-python.python');
  if (extension) {
    try {
      const { environments } = await extension.activate();
      const selected = environments?.getActiveEnvironmentPath(resource);
      const found = selected && (await environments?.resolveEnvironment(selected));
      const path = found?.executable?.uri?.fsPath;
      if (path) return { path, from: 'Python extension' };
    } catch {
      // Of another version, or broken: there is still the default.
    }
  }
  return { path: process.platform === 'win32' ? 'python' : 'python3', from: 'default' };
}
