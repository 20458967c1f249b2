// The inspector page's only door to VS Code: typed messages out, and what it remembers while hidden.
import type { FromInspector } from '../../src/inspect/messages.ts';

interface VsCodeApi {
  postMessage(message: FromInspector): void;
  getState(): unknown;
  setState(state: unknown): void;
}

declare function acquireVsCodeApi(): VsCodeApi;

const api = acquireVsCodeApi();

// oxlint-disable-next-line unicorn/require-post-message-target-origin -- VS Code's, not the window's
export const post = (message: FromInspector): void => api.postMessage(message);
export const remembered = (): unknown => api.getState();
export const remember = (state: unknown): void => api.setState(state);
