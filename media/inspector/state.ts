// What the page shows: the host's last state, and what a person chose for looking at it.
import { batch, computed, effect, signal } from '@preact/signals';
import type {
  InspectorState,
  StatisticsAnswer,
  TensorInfo,
  ToInspector,
} from '../../src/inspect/messages.ts';
import { defaultSlicing, type Slicing } from '../../src/inspect/plane.ts';
import type { Reduction } from '../../src/inspect/reduce.ts';
import { AUTO_SCALE, chooseScale, type Scale, type ScaleWish } from '../../src/inspect/scale.ts';
import { decimalsFor } from '../numbers.ts';
import { ask, settle } from './ask.ts';
import { remember, remembered } from './door.ts';

export interface Looking {
  readonly as: 'picture' | 'numbers';
  readonly wish: ScaleWish;
  readonly reduction: Reduction;
  readonly sums: boolean;
  /** By the tensor's axes: the same for value and gradient of a node. */
  readonly slicings: Readonly<Record<string, Slicing>>;
  /** By the same: the axis over which all matrices are shown; null for one matrix. */
  readonly multiples: Readonly<Record<string, number | null>>;
}

const defaults: Looking = {
  as: 'picture',
  wish: AUTO_SCALE,
  reduction: 'mean',
  sums: false,
  slicings: {},
  multiples: {},
};

const saved = remembered();

export const state = signal<InspectorState | null>(null);
export const looking = signal<Looking>(
  typeof saved === 'object' && saved !== null ? { ...defaults, ...saved } : defaults,
);
export const progress = signal<{ what: string; done: number } | null>(null);
export const statistics = signal<{
  tensor: string;
  version: number;
  answer: StatisticsAnswer;
} | null>(null);
/** Where the entry was selected, before the host has answered. */
export const ahead = signal<readonly number[] | null>(null);
/** Refused questions: one line. */
export const trouble = signal('');

export function look(change: Partial<Looking>): void {
  looking.value = { ...looking.value, ...change };
  remember(looking.value);
}

export const shapeOf = ({ axes }: TensorInfo): number[] => axes.map(({ length }) => length);

const axesKey = ({ axes }: TensorInfo): string =>
  axes.map(({ name, length }) => `${name} ${length}`).join(', ');

const shown = computed(() => state.value?.shown ?? null);

export const selected = computed(() => ahead.value ?? state.value?.selected ?? null);

export const slicing = computed((): Slicing => {
  const info = shown.value;
  if (!info) return defaultSlicing([]);
  return looking.value.slicings[axesKey(info)] ?? defaultSlicing(shapeOf(info));
});

/** The heads are shown all at once at first: that is what one wants to see of them. */
export const multiplesAxis = computed((): number | null => {
  const info = shown.value;
  if (!info) return null;
  const { rowAxis, colAxis } = slicing.value;
  const chosen = looking.value.multiples[axesKey(info)];
  const head = info.axes.findIndex(({ name, length }) => /^(kv )?head\b/.test(name) && length > 1);
  const axis = chosen === undefined ? (head >= 0 ? head : null) : chosen;
  return axis === rowAxis || axis === colAxis ? null : axis;
});

export function slice(change: Partial<Slicing>): void {
  const info = shown.value;
  if (!info) return;
  look({
    slicings: { ...looking.value.slicings, [axesKey(info)]: { ...slicing.value, ...change } },
  });
}

export function showMultiples(axis: number | null): void {
  const info = shown.value;
  if (info) look({ multiples: { ...looking.value.multiples, [axesKey(info)]: axis } });
}

/** The colour scale of the shown tensor; null until its statistics are known. */
export const scale = computed((): Scale | null => {
  const known = statistics.value;
  // An earlier version's ends do until the present ones are here; another tensor's never do.
  if (!known || known.tensor !== shown.value?.id) return null;
  return chooseScale(known.answer.statistics, looking.value.wish);
});

/** Decimals of the numbers in cells: whole numbers have none. */
export const decimals = computed((): number => {
  if (/^(bool|u?int)/.test(shown.value?.dtype ?? '')) return 0;
  const { low, high } = scale.value ?? { low: -1, high: 1 };
  return decimalsFor(Math.max(Math.abs(low), Math.abs(high)));
});

/** The drawn matrices go where the selected entry is. */
function followSelection(before: readonly number[] | null, now: readonly number[] | null): void {
  if (!now || before?.join() === now.join()) return;
  const { rowAxis, colAxis, fixed } = slicing.value;
  const isElsewhere = now.some(
    (at, axis) => axis !== rowAxis && axis !== colAxis && fixed[axis] !== at,
  );
  if (isElsewhere) slice({ fixed: now });
}

export function receive(message: ToInspector): void {
  switch (message.type) {
    case 'state': {
      const before = state.value?.selected ?? null;
      const isOther = state.value?.shown?.id !== message.state.shown?.id;
      batch(() => {
        state.value = message.state;
        ahead.value = null;
        if (isOther) trouble.value = '';
        followSelection(before, message.state.selected);
      });
      break;
    }
    case 'answer':
      settle(message.id, message.answer, '');
      break;
    case 'refused':
      settle(message.id, null, message.message);
      break;
    case 'progress':
      progress.value = message.done === null ? null : { what: message.what, done: message.done };
      break;
  }
}

let takeBack: (() => void) | null = null;
let asked = '';

/** Asks for the statistics of whatever is shown. */
export function keepStatistics(): void {
  effect(() => {
    const info = shown.value;
    const key = info ? `${info.id} ${info.version}` : '';
    if (key === asked) return;
    asked = key;
    takeBack?.();
    takeBack = null;
    if (!info) {
      statistics.value = null;
      return;
    }
    takeBack = ask(
      { kind: 'statistics', tensor: info.id, version: info.version },
      (answer, problem) => {
        takeBack = null;
        if (answer?.kind === 'statistics')
          statistics.value = { tensor: info.id, version: info.version, answer };
        else if (problem) trouble.value = problem;
      },
    );
  });
}
