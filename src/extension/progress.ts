// What takes long is told in a notification, with a button that ends it.
import { setTimeout as sleep } from 'node:timers/promises';
import * as vscode from 'vscode';

/** What is done sooner goes without a word. */
const SOON = 1500; // ms

/** The result of `work`, which is to end when its token says so. */
export function withProgress<T>(
  title: string,
  work: (
    token: vscode.CancellationToken,
    progress: vscode.Progress<{ increment: number }>,
  ) => Promise<T>,
): Promise<T> {
  const options = {
    location: vscode.ProgressLocation.Notification,
    ...{ title, cancellable: true },
  };
  // A thenable of VS Code's, made a promise.
  return Promise.resolve(
    vscode.window.withProgress(options, (progress, token) => work(token, progress)),
  );
}

/** The result of `work`, which has begun; told of if it goes on for long. Cancelling aborts `running`. */
export async function untilDone<T>(
  title: string,
  work: Promise<T>,
  running: AbortController,
  soon = SOON,
): Promise<T> {
  const isDone = work.then(
    () => true,
    () => true,
  );
  if (await Promise.race([isDone, sleep(soon, false, { ref: false })])) return work;
  void withProgress(title, (token) => {
    token.onCancellationRequested(() => running.abort());
    return isDone;
  });
  return work;
}
