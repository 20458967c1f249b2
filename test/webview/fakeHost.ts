// A host without VS Code, running in the page: the real session and the real answers behind acquireVsCodeApi.
import { compare } from '../../src/compare/check.ts';
import { buildGraph } from '../../src/engine/heads/build.ts';
import { run, runInParts } from '../../src/engine/run.ts';
import { map, type Tensor } from '../../src/engine/tensor.ts';
import { agreed, LookAhead } from '../../src/extension/ahead.ts';
import { Progress } from '../../src/extension/computing.ts';
import { answer, runMessage } from '../../src/extension/panelMessages.ts';
import type { NamedTensor } from '../../src/formats/namedTensor.ts';
import { resolveName } from '../../src/formats/nodeNames.ts';
import type { FromWebview, ToWebview } from '../../src/protocol.ts';
import { drawn } from '../../src/stepper/outline.ts';
import { Session } from '../../src/stepper/session.ts';
import { type Example, examples } from './examples.ts';
import { openSetup } from '../../src/formats/openSetup.ts';

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
  readonly sent: ToWebview[];
  state: unknown;
  /** Keeps what the page asks until `hearAll`. */
  isDeaf: boolean;
  hearAll(): void;
  send(message: ToWebview): void;
  open(example: string): void;
  /** Opens a setup's text, as it stands in its file. */
  openText(text: string): Promise<void>;
  /** Says what is told until so many parts of its run are computed. */
  compute(example: string, parts: number): void;
  /** Compares the trace of a program whose dS, and so what follows from it, is `factor` times the right one. */
  compare(factor: number): void;
}

const FOLLOWS_SCORES = /^d(S|[KQ]h?|[Wb]_[KQ])$/;

const host: FakeHost = {
  session: null,
  received: [],
  state: undefined,
  sent: [],
  isDeaf: false,
  hearAll() {
    for (const message of unheard.splice(0)) hear(message);
  },
  send(message) {
    host.sent.push(message);
    window.postMessage(message, '*');
  },
  open(name) {
    show(examples[name]());
  },
  async openText(text) {
    const { config } = await openSetup(text, (path) => Promise.reject(new Error(path)));
    const { title = '', description = '', energy = false } = JSON.parse(text) as Partial<Example>;
    show({ title, description, energy, config: config! });
  },
  compute(name, parts) {
    const { config, title, description } = examples[name]();
    const graph = buildGraph(config);
    const progress = new Progress(name, graph, { title, description });
    host.send(progress.all);
    const told = runInParts(graph);
    for (let done = 0; done <= parts; done++) {
      const next = told.next();
      if (next.done) break;
      const { made, ...part } = next.value;
      host.send(progress.tell({ part, drawn: made.map((each) => drawn(graph, each)) }));
    }
  },
  compare(factor) {
    const { config } = examples[wanted]();
    const session = host.session!;
    const { graph, values, gradients } = session.run;
    const named = (all: ReadonlyMap<string, Tensor>, prefix: string): NamedTensor[] =>
      [...all].map(([id, tensor]) => {
        const name = prefix + id;
        const own = FOLLOWS_SCORES.test(name) ? factor : 1;
        return { name, dtype: 'float64', tensor: map(tensor, (each) => each * own) };
      });
    // dx and dxPrime have other parts, too: they are not given.
    const trace = [...named(values, ''), ...named(gradients, 'd')].filter(
      ({ name }) => !name.startsWith('dx'),
    );
    const { report, tensors } = compare({ config, graph, trace, names: {}, resolve: resolveName });
    session.holdAgainst(tensors);
    host.send({ type: 'comparison', comparison: { trace: 'mine.npz', report, problem: null } });
    host.send({ type: 'step', step: session.stepView(), id: null });
  },
};

function show({ config, title, description, energy }: Example): void {
  host.session = new Session(run(buildGraph(config)), { title, description, energy });
  host.send(runMessage(host.session));
  lookAhead.after(host.session, (next) => host.send(next));
}

const lookAhead = new LookAhead();
const wanted = new URLSearchParams(location.hash.slice(1)).get('example') ?? 'cross';

const unheard: FromWebview[] = [];

function hear(message: FromWebview): void {
  const isShown = lookAhead.hears(message);
  const { session } = host;
  if (!session) return;
  const reply = isShown ? agreed(session, message) : answer(session, message);
  if (!reply) return;
  host.send(reply);
  lookAhead.after(session, (next) => host.send(next));
}

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
    if (host.isDeaf) unheard.push(message);
    else hear(message);
  },
  getState: () => host.state,
  setState: (state: unknown) => {
    host.state = state;
  },
});
