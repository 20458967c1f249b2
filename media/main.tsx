// The webview's entry: listens to the host, draws the panel, and reports what fails.
import { render } from 'preact';
import type { ToWebview } from '../src/protocol.ts';
import './css/theme.css';
import './css/page.css';
import './css/toolbar.css';
import './css/graph.css';
import './css/matrix.css';
import './css/step.css';
import './css/formula.css';
import './css/compare.css';
import { listenToDrops } from './compare/drop.ts';
import { followTheme } from './matrix/theme.ts';
import { App } from './page/App.tsx';
import { receive } from './state.ts';
import { listenToKeys } from './toolbar/keys.ts';
import { post } from './vscode.ts';

function messageOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

window.addEventListener('error', ({ error, message }) => {
  post({ type: 'failed', message: error ? messageOf(error) : message });
});
window.addEventListener('unhandledrejection', ({ reason }) => {
  post({ type: 'failed', message: messageOf(reason) });
});

// Only VS Code posts into a webview.
window.addEventListener('message', ({ data }: MessageEvent<ToWebview>) => receive(data));

followTheme();
listenToKeys();
listenToDrops();
const root =
  document.getElementById('root') ?? document.body.appendChild(document.createElement('div'));
render(<App />, root);
post({ type: 'ready' });
