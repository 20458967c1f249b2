// acquireVsCodeApi for the inspector page in a browser: everything goes to the worker and is kept for tests.
import type { FromInspector } from '../../../src/inspect/messages.ts';
import type { Control } from './worker.ts';

declare global {
  interface Window {
    inspectorHost: InspectorHost;
  }
}

export interface InspectorHost {
  readonly received: FromInspector[];
  control(message: Control): void;
}

const worker = new Worker('worker.js');
worker.addEventListener('message', ({ data }) => window.postMessage(data, '*'));

const host: InspectorHost = {
  received: [],
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker's, not the window's
  control: (message) => worker.postMessage(message),
};
window.inspectorHost = host;

let saved: unknown;
(window as unknown as { acquireVsCodeApi: () => unknown }).acquireVsCodeApi = () => ({
  postMessage(message: FromInspector) {
    host.received.push(message);
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker's, not the window's
    worker.postMessage(message);
  },
  getState: () => saved,
  setState: (state: unknown) => {
    saved = state;
  },
});
