// Connects an inspector page to a model of tensors: state out, questions and wishes in.
import * as vscode from 'vscode';
import type { Versioned } from '../../inspect/answers.ts';
import type { FromInspector, InspectorState, ToInspector } from '../../inspect/messages.ts';
import { Cancelled } from './breathe.ts';
import { Desk } from './desk.ts';
import { copyTensor, saveNpy, savePicture } from './exports.ts';

/** What the inspector can show: the walk's tensors, or those of a file. */
export interface Model {
  state(): InspectorState;
  find(id: string): Versioned | null;
  /** True if the message was about the model and has changed it. */
  receive(message: FromInspector): boolean;
}

export interface Served {
  /** Sends the state anew. */
  readonly refresh: () => void;
  readonly progress: (tensor: string, done: number | null) => void;
  dispose(): void;
}

export function serve(
  webview: vscode.Webview,
  model: Model,
  log: vscode.LogOutputChannel,
  other: (message: FromInspector) => void,
): Served {
  let isReady = false;
  const send = (message: ToInspector): void => {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- VS Code's, not the window's
    void webview.postMessage(message);
  };
  const nameOf = (id: string): string => {
    const { shown, pins, file } = model.state();
    const known = [...(shown ? [shown] : []), ...pins, ...(file?.entries ?? [])];
    return known.find((each) => each.id === id)?.name ?? id;
  };
  const desk = new Desk({
    ...{ find: (id) => model.find(id), nameOf },
    post: send,
  });
  const refresh = (): void => {
    if (isReady) send({ type: 'state', state: model.state() });
  };
  const exported = async (id: string, run: (tensor: Versioned) => Promise<void>): Promise<void> => {
    const tensor = model.find(id);
    if (tensor) await run(tensor);
  };
  const handle = async (message: FromInspector): Promise<void> => {
    if (desk.receive(message)) return;
    if (model.receive(message)) {
      refresh();
      return;
    }
    switch (message.type) {
      case 'ready':
        isReady = true;
        refresh();
        return;
      case 'copy':
        return exported(message.tensor, (tensor) =>
          copyTensor(tensor, nameOf(message.tensor), message.format, message.slicing),
        );
      case 'saveNpy':
        return exported(message.tensor, (tensor) => saveNpy(tensor, nameOf(message.tensor)));
      case 'savePicture':
        return savePicture(message.name, message.format, message.data);
      case 'failed':
        log.error(`inspector: ${message.message}`);
        return;
      default:
        other(message);
    }
  };
  const subscription = webview.onDidReceiveMessage((message: FromInspector) => {
    handle(message).catch((error: unknown) => {
      if (error instanceof Cancelled) return;
      log.error(error as Error);
      void vscode.window.showErrorMessage((error as Error).message);
    });
  });
  return {
    refresh,
    progress: (tensor, done) => desk.progress(tensor, done),
    dispose: () => void subscription.dispose(),
  };
}
