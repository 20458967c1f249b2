// The webview's entry: listens to the host, draws the panel, and reports what fails.
import { render } from 'preact';
import './css/theme.css';
import './css/page.css';
import './css/toolbar.css';
import './css/graph.css';
import './css/matrix.css';
import './css/step.css';
import './css/formula.css';
import './css/compare.css';
import { listen } from './listen.ts';
import { listenToDrops } from './compare/drop.ts';
import { followTheme } from './matrix/theme.ts';
import { App } from './page/App.tsx';
import { receive } from './state.ts';
import { listenToKeys } from './toolbar/keys.ts';
import { post } from './vscode.ts';

listen((message) => post({ type: 'failed', message }), receive);

followTheme();
listenToKeys();
listenToDrops();
const root =
  document.getElementById('root') ?? document.body.appendChild(document.createElement('div'));
render(<App />, root);
post({ type: 'ready' });
