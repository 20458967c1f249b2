// The moves over a timeline. Every move can be undone: `back` returns to where the last one started.
import type { NodeId } from '../engine/graph.ts';
import { levelOf, nextPlace, type Phase, type Position, START, type Timeline } from './timeline.ts';

export interface Cursor {
  readonly position: Position;
  /** Where earlier moves started, latest last. */
  readonly trail: readonly Position[];
}

export type Move = 'over' | 'into' | 'out' | 'back' | 'start' | 'end' | 'continue' | 'reverse';

export interface Walk {
  readonly timeline: Timeline;
  /** Terms of the selected entry at a step and contribution; 0 where there is nothing to enter. */
  readonly termCount: (step: number, contribution: number | null) => number;
  readonly breakpoints: ReadonlySet<NodeId>;
}

const MAX_TRAIL = 1000;

export const atStart: Cursor = { position: START, trail: [] };

function samePosition(a: Position, b: Position): boolean {
  return a.step === b.step && a.contribution === b.contribution && a.term === b.term;
}

/** Remembers where the cursor was; going nowhere leaves no trace. */
export function moveTo(cursor: Cursor, position: Position): Cursor {
  if (samePosition(cursor.position, position)) return cursor;
  return { position, trail: [...cursor.trail.slice(1 - MAX_TRAIL), cursor.position] };
}

/** The next place on the same level; at the end of a level, the next one of the level above. */
function next({ timeline, termCount }: Walk, position: Position): Position | null {
  const { step, contribution, term } = position;
  if (term !== null && term + 1 < termCount(step, contribution)) {
    return { step, contribution, term: term + 1 };
  }
  return nextPlace(timeline, position);
}

/** The place before, on the same level; at the beginning of a level, the one of the level above that holds it. */
function previous({ step, contribution, term }: Position): Position | null {
  if (term !== null) return { step, contribution, term: term > 0 ? term - 1 : null };
  if (contribution !== null)
    return { step, contribution: contribution > 0 ? contribution - 1 : null, term: null };
  return step > 0 ? { step: step - 1, contribution: null, term: null } : null;
}

function inside(walk: Walk, position: Position): Position | null {
  const { step, contribution, term } = position;
  // Terms have nothing inside: the way in goes on along them.
  if (term !== null) return next(walk, position);
  const { contributions } = walk.timeline.steps[step];
  // With one contribution there is nothing to choose from: enter its terms at once.
  if (contribution === null && contributions.length > 1)
    return { step, contribution: 0, term: null };
  return walk.termCount(step, contribution) > 0 ? { step, contribution, term: 0 } : null;
}

/** The level above; null where there is none. */
function outside({ step, contribution, term }: Position): Position | null {
  if (term !== null) return { step, contribution, term: null };
  return contribution === null ? null : { step, contribution: null, term: null };
}

/** A breakpoint on a node stops where it computes, where it passes its gradient on, and where it receives. */
function stopsAt({ timeline, breakpoints }: Walk, step: number): boolean {
  const { node, contributions } = timeline.steps[step];
  return (
    (node !== null && breakpoints.has(node)) || contributions.some(({ to }) => breakpoints.has(to))
  );
}

function runTo(walk: Walk, from: number, direction: 1 | -1): Position {
  const last = walk.timeline.steps.length - 1;
  let step = from + direction;
  while (step > 0 && step < last && !stopsAt(walk, step)) step += direction;
  return { step: Math.min(Math.max(step, 0), last), contribution: null, term: null };
}

/**
 * over: next on the same level · into: contributions, then terms, then along the terms · out: the level above ·
 * back: undoes the last move, and without one goes to the place before · continue and reverse: to
 * the next breakpoint in that direction, or to the end.
 */
export function move(walk: Walk, cursor: Cursor, how: Move): Cursor {
  const { position, trail } = cursor;
  const to = (target: Position | null): Cursor => (target ? moveTo(cursor, target) : cursor);
  switch (how) {
    case 'over':
      return to(next(walk, position));
    case 'into':
      return to(inside(walk, position));
    case 'out':
      return to(outside(position));
    case 'start':
      return to(START);
    case 'end':
      return to({ step: walk.timeline.steps.length - 1, contribution: null, term: null });
    case 'continue':
      return to(runTo(walk, position.step, 1));
    case 'reverse':
      return to(runTo(walk, position.step, -1));
    case 'back': {
      const last = trail.at(-1);
      if (last) return { position: last, trail: trail.slice(0, -1) };
      const before = previous(position);
      return before ? { position: before, trail: [] } : cursor;
    }
  }
}

/** Where a node's accumulator is complete: at the last contribution into it; null if it receives none. */
function completion({ steps }: Timeline, node: NodeId): Position | null {
  const step = steps.findLastIndex(({ contributions }) =>
    contributions.some(({ to }) => to === node),
  );
  if (step < 0) return null;
  const { contributions } = steps[step];
  const last = contributions.findLastIndex(({ to }) => to === node);
  return { step, contribution: last === contributions.length - 1 ? null : last, term: null };
}

/**
 * To a node: with `kind`, to the step that computes its value or completes its gradient. Without, to its forward
 * step, or, when the walk is already there or in the backward pass, to its backward step; an input, which has
 * neither, is gone to where its gradient is complete.
 */
export function moveToNode(
  { timeline }: Walk,
  cursor: Cursor,
  node: NodeId,
  kind?: 'value' | 'gradient',
): Cursor {
  const { steps } = timeline;
  const stepOf = (phase: Phase): Position | null => {
    const step = steps.findIndex((each) => each.phase === phase && each.node === node);
    return step < 0 ? null : { step, contribution: null, term: null };
  };
  const complete = completion(timeline, node);
  const { phase, node: current } = steps[cursor.position.step];
  const forward = stepOf('forward');
  const isBack = phase === 'backward' || phase === 'result' || current === node || !forward;
  const own = isBack ? stepOf('backward') : forward;
  const wanted = kind === 'gradient' ? complete : kind === 'value' ? forward : own;
  const target = wanted ?? complete;
  return target ? moveTo(cursor, target) : cursor;
}

/** The same place in another timeline, when a setup was edited: by phase, node and contribution, else the start. */
export function carryOver(from: Timeline, position: Position, to: Timeline): Position {
  const { phase, node } = from.steps[position.step];
  const step = to.steps.findIndex((each) => each.phase === phase && each.node === node);
  if (step < 0) return START;
  const count = to.steps[step].contributions.length;
  const fits = position.contribution === null || position.contribution < count;
  return {
    step,
    contribution: fits ? position.contribution : null,
    term: levelOf(position) === 'term' && fits ? 0 : null,
  };
}
