// Problems: what is wrong in the setup files that are open in an editor, at its line, while typing.
import * as vscode from 'vscode';
import type { Problem } from '../formats/setupTypes.ts';
import type { SetupModels } from './setups.ts';
import { isSetup } from './uris.ts';

function diagnostic(document: vscode.TextDocument, problem: Problem): vscode.Diagnostic {
  const { offset, length, message, severity } = problem;
  const range = new vscode.Range(
    document.positionAt(offset),
    document.positionAt(offset + Math.max(length, 1)),
  );
  const level =
    severity === 'error' ? vscode.DiagnosticSeverity.Error : vscode.DiagnosticSeverity.Warning;
  const result = new vscode.Diagnostic(range, message, level);
  result.source = 'attention';
  return result;
}

export function watchProblems(models: SetupModels): vscode.Disposable {
  const collection = vscode.languages.createDiagnosticCollection('attention');
  const watched = new Map<string, vscode.Disposable>();

  const watch = (document: vscode.TextDocument): void => {
    const key = document.uri.toString();
    if (!isSetup(document.uri) || watched.has(key)) return;
    const { model, release } = models.acquire(document.uri);
    const show = async (): Promise<void> => {
      const { problems } = await model.opened();
      if (!document.isClosed)
        collection.set(
          document.uri,
          problems.map((each) => diagnostic(document, each)),
        );
    };
    watched.set(key, vscode.Disposable.from(release, model.onDidChange(show)));
    void show();
  };
  const forget = ({ uri }: vscode.TextDocument): void => {
    watched.get(uri.toString())?.dispose();
    watched.delete(uri.toString());
    collection.delete(uri);
  };

  vscode.workspace.textDocuments.forEach(watch);
  return vscode.Disposable.from(
    collection,
    vscode.workspace.onDidOpenTextDocument(watch),
    vscode.workspace.onDidCloseTextDocument(forget),
    new vscode.Disposable(() => watched.forEach((each) => each.dispose())),
  );
}
