// Where VS Code starts the extension: what it may ask for is registered, and the rest loaded when it is asked for.
import * as vscode from 'vscode';
import { agentTools } from './agents.ts';
import { Command } from './commands.ts';
import type { Host } from './host.ts';
import { offersOf } from './lines/seems.ts';
import { isSetup } from './uris.ts';
import { INSPECTOR_VIEW, PANEL_TYPE, TENSOR_FILE } from './views.ts';

export function activate(context: vscode.ExtensionContext): void {
  let waiting: vscode.Disposable | undefined;
  let loading: Promise<Host> | undefined;
  const load = async (): Promise<Host> => {
    const { makeHost } = await import('./host.ts');
    waiting?.dispose();
    const host = makeHost(context);
    context.subscriptions.push(host);
    return host;
  };
  const host = (): Promise<Host> => (loading ??= load());
  waiting = vscode.Disposable.from(commands(host), documents(host));
  context.subscriptions.push(waiting, views(host), agentTools(context));
}

/** Each command, until the host has registered its own. */
function commands(host: () => Promise<Host>): vscode.Disposable {
  return vscode.Disposable.from(
    ...Object.values(Command).map((id) =>
      vscode.commands.registerCommand(id, async (...words: unknown[]) => {
        await host();
        return vscode.commands.executeCommand(id, ...words);
      }),
    ),
  );
}

/** A setup, or a program that seems to compute attention: both are looked at without being asked. */
const concerns = (document: vscode.TextDocument): boolean =>
  isSetup(document.uri) ||
  (document.languageId === 'python' && offersOf(document.getText(), document.uri.path).length > 0);

function documents(host: () => Promise<Host>): vscode.Disposable {
  const look = (document: vscode.TextDocument): void => {
    if (concerns(document)) void host();
  };
  vscode.workspace.textDocuments.forEach(look);
  return vscode.Disposable.from(
    vscode.workspace.onDidOpenTextDocument(look),
    vscode.workspace.onDidChangeTextDocument(({ document }) => look(document)),
  );
}

function views(host: () => Promise<Host>): vscode.Disposable {
  const { window } = vscode;
  return vscode.Disposable.from(
    window.registerWebviewPanelSerializer(PANEL_TYPE, {
      deserializeWebviewPanel: async (panel, state) =>
        (await host()).panels.deserializeWebviewPanel(panel, state),
    }),
    window.registerWebviewViewProvider(INSPECTOR_VIEW, {
      resolveWebviewView: async (...words) => (await host()).inspector.resolveWebviewView(...words),
    }),
    window.registerCustomEditorProvider(TENSOR_FILE, {
      openCustomDocument: async (...words) =>
        (await host()).tensorFiles.openCustomDocument(...words),
      resolveCustomEditor: async (...words) =>
        (await host()).tensorFiles.resolveCustomEditor(...words),
    }),
  );
}
