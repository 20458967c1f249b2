// Files that are watched: whatever happens to them is a change.
import * as vscode from 'vscode';

/** Calls `changed` when a file of `folder` that fits the glob pattern is written, made or gone. */
export function watchFiles(
  folder: vscode.Uri,
  pattern: string,
  changed: (file: vscode.Uri) => void,
): vscode.Disposable {
  const watcher = vscode.workspace.createFileSystemWatcher(
    new vscode.RelativePattern(folder, pattern),
  );
  const events = [watcher.onDidChange, watcher.onDidCreate, watcher.onDidDelete];
  return vscode.Disposable.from(watcher, ...events.map((event) => event(changed)));
}
