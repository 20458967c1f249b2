// A host without VS Code, running in the page: the real session and the real answers behind acquireVsCodeApi.
import { buildGraph } from '../../src/engine/heads/build.ts';
import { run } from '../../src/engine/run.ts';
import { answer, runMessage } from '../../src/extension/panelMessages.ts';
import type { FromWebview, ToWebview } from '../../src/protocol.ts';
import { Session } from '../../src/stepper/session.ts';
import { examples } from './examples.ts';

declare global {
  interface Window {
    fakeHost: FakeHost;
    acquireVsCodeApi: () => unknown;
  }
}

/** What a test can look at and do from outside. */
export interface FakeHost {
  session: Session | null;
  readonly received: FromWebview[];
  state: unknown;
  send(message: ToWebview): void;
  open(example: string): void;
}

const host: FakeHost = {
  session: null,
  received: [],
  state: undefined,
  send(message) {
    window.postMessage(message, '*');
  },
  open(name) {
    const { config, title, description, energy } = examples[name]();
    host.session = new Session(run(buildGraph(config)), { title, description, energy });
    host.send(runMessage(host.session));
  },
};

const wanted = new URLSearchParams(location.hash.slice(1)).get('example') ?? 'cross';

window.fakeHost = host;
window.acquireVsCodeApi = () => ({
  postMessage(message: FromWebview) {
    host.received.push(message);
    if (message.type === 'ready') {
      if (wanted === 'none') {
        host.send({
          type: 'empty',
          message: 'The active editor shows no attention setup.',
          canOpenExample: true,
        });
      } else host.open(wanted);
      return;
    }
    const reply = host.session && answer(host.session, message);
    if (reply) host.send(reply);
  },
  getState: () => host.state,
  setState: (state: unknown) => {
    host.state = state;
  },
});
