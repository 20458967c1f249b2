// The inspector page's entry: listens to the host, draws, and reports what fails.
import { render } from 'preact';
import '../css/theme.css';
import './inspector.css';
import './grid.css';
import { followTheme } from '../matrix/theme.ts';
import { listen } from '../listen.ts';
import { App } from './App.tsx';
import { post } from './door.ts';
import { keepStatistics, receive } from './state.ts';

listen((message) => post({ type: 'failed', message }), receive);

followTheme();
keepStatistics();
const root =
  document.getElementById('root') ?? document.body.appendChild(document.createElement('div'));
render(<App />, root);
post({ type: 'ready' });
