// "Run Mine and Compare": runs the module that a setup names as its implementation, and holds its tensors against it.
import * as vscode from 'vscode';
import { parseSetup } from '../../formats/parseSetup.ts';
import type { Panels } from '../panels.ts';
import { isSetup } from '../setups.ts';
import { fileName } from '../uris.ts';
import { chooseSetup } from './choose.ts';
import { type MineServices, ModuleSource, UNTRUSTED } from './moduleSource.ts';

const TRUST = 'Manage Workspace Trust';
const OPEN = 'Open the Setup';

/** From a menu the setup is given; else it is the one being edited, the active panel's, or asked for. */
export async function runMineCommand(
  panels: Panels,
  services: MineServices,
  given: unknown,
): Promise<void> {
  if (!vscode.workspace.isTrusted) {
    void vscode.window.showErrorMessage(UNTRUSTED, TRUST).then((answer) => {
      if (answer === TRUST) void vscode.commands.executeCommand('workbench.trust.manage');
    });
    return;
  }
  const file = given instanceof vscode.Uri ? given : undefined;
  const edited = vscode.window.activeTextEditor?.document.uri;
  const known = [file, edited, panels.active()?.setup].find((uri) => uri && isSetup(uri));
  const setup = known ?? (await chooseSetup());
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
