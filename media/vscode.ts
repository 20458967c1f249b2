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
  /** Null: as there is room. */
  readonly equationsOpen: boolean | null;
  readonly zerosOpen: boolean;
  /** Percent of the page's height for the equations; null for what they need. */
  readonly equationsShare: number | null;
  /**
   * Percent for the graph, of the width where it stands beside the step, of the height where it stands above; null
   * for what is usual.
   */
  readonly graphWidth: number;
  readonly graphHeight: number | null;
}

const defaults: UiState = {
  equationsOpen: null,
  zerosOpen: false,
  equationsShare: null,
  graphWidth: 56,
  graphHeight: null,
};

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
