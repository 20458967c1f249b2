// Comparing: finds the setup and the tensors that are meant, and asks for what is missing.
import * as vscode from 'vscode';
import { Command } from '../commands.ts';
import { compareVariable } from '../debugger/compareVariable.ts';
import type { Panels } from '../panels.ts';
import type { SetupModels } from '../setups.ts';
import { editedFile, isSetup } from '../uris.ts';
import { chooseTrace, chooseWay, setupAmong, setupOf } from './choose.ts';
import { FileSource } from './fileSource.ts';

/**
 * From a menu on a setup or on a trace that file is given. A trace goes with its own setup, and the palette with the
 * active panel's; what is missing is asked for.
 */
async function compare(panels: Panels, models: SetupModels, given: unknown): Promise<void> {
  const file = given instanceof vscode.Uri ? given : undefined;
  const isTrace = file && !isSetup(file);
  const setup = isTrace
    ? (panels.comparedWith(file) ?? (await setupOf(file, panels.active()?.setup)))
    : await setupAmong(file, panels.active()?.setup, editedFile());
  if (!setup) return;
  const way = isTrace ? 'file' : await chooseWay(models, setup);
  if (way === Command.CompareVariable || way === Command.RunMine) {
    await vscode.commands.executeCommand(way, setup);
    return;
  }
  const trace = isTrace ? file : way && (await chooseTrace(setup));
  if (trace) await panels.show(setup).compareWith(new FileSource(trace));
}

/** From a problem: shows the panel and in it the cause with this mark. */
function explain(panels: Panels, setup: unknown, cause: unknown): void {
  if (typeof setup !== 'string' || typeof cause !== 'string') return;
  panels.show(vscode.Uri.parse(setup)).explain(cause);
}

export function compareCommands(panels: Panels, models: SetupModels): vscode.Disposable {
  const { registerCommand } = vscode.commands;
  return vscode.Disposable.from(
    registerCommand(Command.Compare, (given?: unknown) => compare(panels, models, given)),
    registerCommand(Command.CompareVariable, (given?: unknown) =>
      compareVariable(panels, models, given),
    ),
    registerCommand(Command.FirstDivergence, () => panels.active()?.goToFirstDivergence()),
    registerCommand(Command.Explain, (setup?: unknown, cause?: unknown) =>
      explain(panels, setup, cause),
    ),
  );
}
