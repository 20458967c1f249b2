// What takes long is told, with a button that ends it.
import { setTimeout as sleep } from 'node:timers/promises';
import * as vscode from 'vscode';

/** What is done sooner goes without a word. */
const SOON = 1500; // ms

/** The result of `work`; a notification while it goes on, whose Cancel aborts `running`. */
export async function untilDone<T>(
  title: string,
  work: Promise<T>,
  running: AbortController,
): Promise<T> {
  const isDone = work.then(
    () => true,
    () => true,
  );
  if (await Promise.race([isDone, sleep(SOON, false, { ref: false })])) return work;
  const options = {
    location: vscode.ProgressLocation.Notification,
    ...{ title, cancellable: true },
  };
  void vscode.window.withProgress(options, (_, token) => {
    token.onCancellationRequested(() => running.abort());
    return isDone;
  });
  return work;
}
