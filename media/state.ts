// What the page shows: the last run and step the host sent, and the little that is the page's own.
import { computed, signal } from '@preact/signals';
import type { ComparisonView, ToWebview, ViewSettings } from '../src/protocol.ts';
import type { Move } from '../src/stepper/cursor.ts';
import type { Outline } from '../src/stepper/outline.ts';
import type { Picture } from '../src/stepper/picture.ts';
import type { RunView } from '../src/stepper/runView.ts';
import type { StepView } from '../src/stepper/stepView.ts';
import { type Ranges, rangesOf, sameNumbers } from './matrix/ranges.ts';
import { keepPictures } from './matrix/same.ts';
import { digits } from './numbers.ts';
import { answered, know, latestRequest, lookAhead, type Request, request } from './requests.ts';
import { loadUiState, saveUiState, type UiState } from './vscode.ts';

export interface Shown {
  readonly run: RunView;
  readonly step: StepView;
  /** What the ends of the one colour scale stand for; null where every tensor has a scale of its own. */
  readonly ranges: Ranges | null;
}

export interface Growing {
  readonly outline: Outline;
  readonly pictures: Readonly<Record<string, Picture>>;
}

type Message<Type extends ToWebview['type']> = Extract<ToWebview, { readonly type: Type }>;

export const shown = signal<Shown | null>(null);
export const empty = signal<Message<'empty'> | null>(null);
/** What the host is computing, and how far it is. */
export const computing = signal<Message<'computing'> | null>(null);
/** The graph of what is being computed, and what is there of it: by "S value" and "S gradient". */
export const growing = signal<Growing | null>(null);
export const problems = signal<readonly string[]>([]);
/** The person's tensors against this run, if they are being compared. */
export const comparison = signal<ComparisonView | null>(null);
/** The cause whose explanation was asked for, and how often one was. */
export const explained = signal<{ readonly cause: string; readonly times: number }>({
  cause: '',
  times: 0,
});
export const settings = signal<ViewSettings>({
  allHeads: true,
  colorScale: 'perTensor',
  digits: 4,
});
/** Why nothing happened; until the next step. */
export const remark = signal('');
export const ui = signal<UiState>(loadUiState());
/** A term that the pointer is over: its factors are marked in the graph. */
export const pointedTerm = signal<number | null>(null);
/** The factor of the result that is pointed at, by the steps that compute it. */
export const litPart = signal<string | null>(null);
/** Where the slider is dragged to while the host has not answered yet. */
export const draggedTick = signal<number | null>(null);

/** The node this position is about: it computes its value, or passes its gradient on. */
export const currentNode = computed(() => {
  const nodes = shown.value?.step.nodes ?? {};
  return Object.keys(nodes).find((id) => nodes[id].status === 'current') ?? null;
});

export function setUi(change: Partial<UiState>): void {
  ui.value = { ...ui.value, ...change };
  saveUiState(ui.value);
}

function show(run: RunView, step: StepView): void {
  const before = shown.value;
  const kept = before && sameNumbers(before.run, run) ? before : null;
  const ranges =
    settings.value.colorScale === 'shared' ? rangesOf(run, step, kept?.ranges ?? null) : null;
  shown.value = { run, step: keepPictures(step, kept?.step ?? null), ranges };
  pointedTerm.value = null;
  remark.value = '';
}

/** Goes there at once where the host has said what is there, else asks. */
export function walk(move: Move): void {
  const { serial, step } = lookAhead(move);
  if (!step || !shown.value) {
    request({ type: 'move', move });
    return;
  }
  const id = request({ type: 'move', move, shown: serial });
  show(shown.value.run, step);
  answered(id);
}

function grow({ outline, drawn = [] }: Message<'computing'>): void {
  const before = outline ? { outline, pictures: {} } : growing.value;
  if (!before) return;
  const pictures = drawn.map(({ node, kind, picture }) => [`${node} ${kind}`, picture] as const);
  growing.value = { ...before, pictures: { ...before.pictures, ...Object.fromEntries(pictures) } };
}

export function receive(message: ToWebview): void {
  if (message.type === 'run' || message.type === 'step') know(null);
  switch (message.type) {
    case 'empty':
      empty.value = message;
      computing.value = null;
      growing.value = null;
      shown.value = null;
      break;
    case 'run':
      empty.value = null;
      computing.value = null;
      growing.value = null;
      settings.value = message.settings;
      digits.value = message.settings.digits;
      show(message.run, message.step);
      // A run answers whatever was asked last (another head): the message itself does not say.
      if (latestRequest() > 0) settle(latestRequest());
      break;
    case 'step':
      if (!shown.value) break;
      show(shown.value.run, message.step);
      // Moves from the debug toolbar or the palette were not asked for here.
      if (message.id !== null && message.id > 0) settle(message.id);
      break;
    case 'ahead':
      know(message.ahead);
      break;
    case 'agreed':
      settle(message.id);
      break;
    case 'computing':
      computing.value = message;
      grow(message);
      break;
    case 'noBreakpoint':
      remark.value = 'There is no breakpoint: click the dot at a node’s corner, or press B on it.';
      if (message.id !== null && message.id > 0) settle(message.id);
      break;
    case 'comparison':
      comparison.value = message.comparison;
      break;
    case 'explain':
      explained.value = { cause: message.cause, times: explained.value.times + 1 };
      break;
    case 'problems':
      problems.value = message.problems;
      if (message.problems.length === 0) break;
      computing.value = null;
      growing.value = null;
      break;
  }
}

let waiting: Request | null = null;
let dragId = 0;

function settle(id: number): void {
  if (id >= dragId) {
    if (waiting) {
      dragId = request(waiting);
      waiting = null;
    } else draggedTick.value = null;
  }
  answered(id);
}

/** Follows the slider; while an answer is on its way, only the latest place is remembered. */
export function dragTo(tick: number): void {
  const message: Request = { type: 'goToTick', tick };
  if (draggedTick.value === null) dragId = request(message);
  else waiting = message;
  draggedTick.value = tick;
}
