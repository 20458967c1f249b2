// The inspector page's entry: listens to the host, draws, and reports what fails.
import { render } from 'preact';
import type { ToInspector } from '../../src/inspect/messages.ts';
import '../css/theme.css';
import './inspector.css';
import './grid.css';
import { followTheme } from '../matrix/theme.ts';
import { App } from './App.tsx';
import { post } from './door.ts';
import { keepStatistics, receive } from './state.ts';

function messageOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

window.addEventListener('error', ({ error, message }) => {
  // Chromium reports a resize that takes two frames as an error; it is none.
  if (!message.startsWith('ResizeObserver loop'))
    post({ type: 'failed', message: error ? messageOf(error) : message });
});
window.addEventListener('unhandledrejection', ({ reason }) => {
  post({ type: 'failed', message: messageOf(reason) });
});

// Only VS Code posts into a webview.
window.addEventListener('message', ({ data }: MessageEvent<ToInspector>) => receive(data));

followTheme();
keepStatistics();
const root =
  document.getElementById('root') ?? document.body.appendChild(document.createElement('div'));
render(<App />, root);
post({ type: 'ready' });
