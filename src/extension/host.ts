// All that the extension does: made when the first of it is asked for.
import * as vscode from 'vscode';
import { Command, type CommandId, MOVES } from './commands.ts';
import { compareCommands } from './compare/commands.ts';
import { ComparisonProblems } from './compare/problems.ts';
import { runMineCommand } from './compare/runMine.ts';
import { InspectorView } from './inspector/view.ts';
import { INSPECTOR_VIEW } from './views.ts';
import { LinesFeature } from './lines/feature.ts';
import { newSetup } from './newSetup.ts';
import { Panels } from './panels.ts';
import { watchProblems } from './problems.ts';
import { addPythonHelper } from './pythonHelper.ts';
import { makeTest } from './sees.ts';
import { SetupModels } from './setups.ts';
import { editedFile, isSetup, showText } from './uris.ts';
import { TensorFileEditor } from './tensorFile/editor.ts';

/** What VS Code asks for by name; all else registers itself. */
export interface Host extends vscode.Disposable {
  readonly panels: vscode.WebviewPanelSerializer;
  readonly inspector: vscode.WebviewViewProvider;
  readonly tensorFiles: vscode.CustomReadonlyEditorProvider;
}

export function makeHost({ extensionUri, workspaceState }: vscode.ExtensionContext): Host {
  // It knows by package.json that our language is JSON with comments, but waits for a language of its own.
  void vscode.extensions.getExtension('vscode.json-language-features')?.activate();
  const log = vscode.window.createOutputChannel('Attention', { log: true });
  const exercise = vscode.Uri.joinPath(extensionUri, 'examples', 'exercise.attention.json');
  const models = new SetupModels();
  const found = new ComparisonProblems();
  const panels: Panels = new Panels(
    models,
    {
      extension: extensionUri,
      memory: workspaceState,
      log,
      found,
      openExample: () => panels.show(exercise),
    },
    exercise,
  );

  /** From a menu the file is given; from the palette it is the one in the editor, else the exercise. */
  const step = (given?: vscode.Uri): void => {
    const setup = [given, editedFile()].find((uri) => uri instanceof vscode.Uri && isSetup(uri));
    if (!setup && given === undefined && panels.active()) panels.active()?.reveal();
    else panels.show(setup ?? exercise);
  };
  const openSetup = async (): Promise<void> => {
    const setup = panels.active()?.setup;
    if (setup) await showText(setup);
    else
      void vscode.window.showInformationMessage(
        'No attention panel is open. Run "Step Attention Backprop" first.',
      );
  };

  const runner = vscode.Uri.joinPath(extensionUri, 'dist', 'runMine.mjs').fsPath;
  const mine = { runner, log };

  const inspector = new InspectorView(panels, {
    extension: extensionUri,
    log,
    openExample: () => panels.show(exercise),
  });

  const register = (id: CommandId, run: (...words: never[]) => unknown): vscode.Disposable =>
    vscode.commands.registerCommand(id, run);
  const registered = vscode.Disposable.from(
    log,
    register(Command.Step, step),
    register(Command.OpenSetup, openSetup),
    register(Command.NewSetup, (given?: unknown) =>
      newSetup({ extension: extensionUri, exercise }, given),
    ),
    found,
    compareCommands(panels, models),
    register(Command.RunMine, (given?: unknown) => runMineCommand(panels, mine, given)),
    register(Command.AddPythonHelper, (given?: unknown) => addPythonHelper(extensionUri, given)),
    register(Command.MakeTest, (given?: unknown) => makeTest(extensionUri, given)),
    ...Object.entries(MOVES).map(([id, move]) =>
      register(id as CommandId, () => panels.active()?.move(move)),
    ),
    register(Command.Inspect, () => vscode.commands.executeCommand(`${INSPECTOR_VIEW}.focus`)),
    watchProblems(models),
    new LinesFeature({ extension: extensionUri, memory: workspaceState, log, panels }),
  );
  return {
    panels,
    inspector,
    tensorFiles: new TensorFileEditor(extensionUri, log, inspector),
    dispose: () => registered.dispose(),
  };
}
