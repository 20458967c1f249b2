// The webview's only door to VS Code: typed messages out, and a little UI state that survives hiding.
import type { FromWebview } from '../src/protocol.ts';

interface VsCodeApi {
  postMessage(message: FromWebview): void;
  getState(): unknown;
  setState(state: unknown): void;
}

declare function acquireVsCodeApi(): VsCodeApi;

const api = acquireVsCodeApi();

/** What the page remembers by itself; everything about the walk is the host's. */
export interface UiState {
  readonly equationsOpen: boolean;
  readonly zerosOpen: boolean;
}

const defaults: UiState = { equationsOpen: true, zerosOpen: false };

export function post(message: FromWebview): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- VS Code's, not the window's
  api.postMessage(message);
}

export function loadUiState(): UiState {
  const saved = api.getState();
  return typeof saved === 'object' && saved !== null ? { ...defaults, ...saved } : defaults;
}

export function saveUiState(state: UiState): void {
  // After a reload of the window, VS Code hands this state to the host, which finds the setup by it.
  api.setState({ ...state, setup: document.body.dataset['setup'] });
}

saveUiState(loadUiState());
