// "Compare My Module": runs the module that a setup names as its implementation, and holds its tensors against it.
import * as vscode from 'vscode';
import { parseSetup } from '../../formats/parseSetup.ts';
import type { Panels } from '../panels.ts';
import { isTrusted } from '../trust.ts';
import { editedFile, fileName } from '../uris.ts';
import { setupAmong } from './choose.ts';
import { type MineServices, ModuleSource, UNTRUSTED } from './moduleSource.ts';

const OPEN = 'Open the Setup';

/** From a menu the setup is given; else it is the one being edited, the active panel's, or asked for. */
export async function runMineCommand(
  panels: Panels,
  services: MineServices,
  given: unknown,
): Promise<void> {
  if (!isTrusted(UNTRUSTED)) return;
  const setup = await setupAmong(given, editedFile(), panels.active()?.setup);
  if (!setup) return;
  const document = await vscode.workspace.openTextDocument(setup);
  const parsed = parseSetup(document.getText()).setup;
  if (!parsed?.implementation) {
    const wrong = parsed
      ? 'names no implementation. Add one: "implementation": "./mine.mjs".'
      : 'has errors, so nothing can be run.';
    void vscode.window.showErrorMessage(`${fileName(setup)} ${wrong}`, OPEN).then((answer) => {
      if (answer === OPEN) void vscode.window.showTextDocument(document);
    });
    return;
  }
  const source = new ModuleSource(setup, parsed.implementation.module, services);
  await panels.show(setup).compareWith(source);
}
