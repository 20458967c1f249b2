// One person's walk over one run: the cursor, the selected entry, breakpoints, and how they change.
import type { Binding } from '../engine/axes.ts';
import { type NodeId, nodeOf } from '../engine/graph.ts';
import type { Run } from '../engine/run.ts';
import { worstEntry } from './sideBySide.ts';
import {
  atStart,
  carryOver,
  type Cursor,
  move,
  type Move,
  moveTo,
  moveToNode,
  type Walk,
} from './cursor.ts';
import { runView, type RunView } from './runView.ts';
import { termCountAt } from './detail.ts';
import type { OwnTensor, StepView, ViewOptions } from './stepView.ts';
import { viewAt } from './viewAt.ts';
import {
  buildTimeline,
  contributionAt,
  levelOf,
  type Position,
  type Timeline,
} from './timeline.ts';

export interface About {
  readonly title: string;
  readonly description: string;
  /** f is an energy and x are positions: -df/dx is shown as forces. */
  readonly energy: boolean;
}

/** What is kept over a reload of the window. */
export interface SavedSession {
  readonly position: Position;
  readonly selection: Binding;
  readonly allHeads: boolean;
  readonly breakpoints: readonly NodeId[];
}

export class Session {
  #run: Run;
  #about: About;
  #timeline: Timeline;
  #cursor: Cursor = atStart;
  #selection: Binding = {};
  #allHeads: boolean;
  readonly #breakpoints = new Set<NodeId>();
  #own: readonly OwnTensor[] = [];

  constructor(run: Run, about: About) {
    this.#run = run;
    this.#about = about;
    this.#timeline = buildTimeline(run);
    this.#allHeads = true;
  }

  get run(): Run {
    return this.#run;
  }

  get timeline(): Timeline {
    return this.#timeline;
  }

  get position(): Position {
    return this.#cursor.position;
  }

  get selection(): Binding {
    return this.#selection;
  }

  get allHeads(): boolean {
    return this.#allHeads;
  }

  get breakpoints(): ReadonlySet<NodeId> {
    return this.#breakpoints;
  }

  move(how: Move): void {
    this.#cursor = move(this.#walk(), this.#cursor, how);
  }

  /** Throws RangeError for a place that is not on the timeline. */
  goToTick(tick: number): void {
    const position = this.#timeline.ticks[tick];
    if (!position)
      throw new RangeError(`found tick ${tick}, expected 0 to ${this.#timeline.ticks.length - 1}`);
    this.#cursor = moveTo(this.#cursor, position);
  }

  /** `kind` says which of the node's two steps; without it, the one of the phase that the walk is in. */
  goToNode(node: NodeId, kind?: 'value' | 'gradient'): void {
    nodeOf(this.#run.graph, node);
    this.#cursor = moveToNode(this.#walk(), this.#cursor, node, kind);
  }

  /** The same, and there the entry of the person's tensor that is farthest off. */
  goToWorst(node: NodeId, kind: 'value' | 'gradient'): void {
    this.goToNode(node, kind);
    const mine = this.#own.find((each) => each.node === node && each.kind === kind);
    const worst = mine && worstEntry(this.#run, mine);
    if (worst) this.select(worst);
  }

  /** Enters a contribution of the current backward step. */
  goToContribution(contribution: number): void {
    const { step } = this.position;
    if (contribution in this.#timeline.steps[step].contributions) {
      this.#cursor = moveTo(this.#cursor, { step, contribution, term: null });
    }
  }

  goToTerm(term: number): void {
    const { step, contribution } = this.position;
    if (Number.isInteger(term) && term >= 0 && term < this.#walk().termCount(step, contribution)) {
      this.#cursor = moveTo(this.#cursor, { step, contribution, term });
    }
  }

  /** Binds letters; the others stay, and what is no entry is left out. Heads that share keys are bound by r and g. */
  select(selection: Binding): void {
    const { extents } = this.#run.graph;
    const valid = Object.entries(selection).filter(
      ([letter, at]) => Number.isInteger(at) && at >= 0 && at < (extents[letter] ?? 0),
    );
    this.#selection = { ...this.#selection, ...Object.fromEntries(valid) };
    const { step, contribution, term } = this.position;
    if (term !== null && term >= this.#walk().termCount(step, contribution)) this.move('out');
  }

  /** The person's own tensors, shown beside the run's; none for an end. */
  holdAgainst(own: readonly OwnTensor[]): void {
    this.#own = own;
  }

  get own(): readonly OwnTensor[] {
    return this.#own;
  }

  toggleBreakpoint(node: NodeId): void {
    nodeOf(this.#run.graph, node);
    if (!this.#breakpoints.delete(node)) this.#breakpoints.add(node);
  }

  showAllHeads(all: boolean): void {
    this.#allHeads = all;
  }

  /** Another run in place of this one (the setup was edited); the cursor stays where that makes sense. */
  replace(run: Run, about: About): void {
    const timeline = buildTimeline(run);
    const position = carryOver(this.#timeline, this.position, timeline);
    this.#run = run;
    this.#about = about;
    this.#timeline = timeline;
    this.#cursor = { position, trail: [] };
    for (const node of this.#breakpoints) {
      if (!run.graph.nodes.some(({ id }) => id === node)) this.#breakpoints.delete(node);
    }
    this.select({});
  }

  save(): SavedSession {
    return {
      position: this.position,
      selection: this.#selection,
      allHeads: this.#allHeads,
      breakpoints: [...this.#breakpoints],
    };
  }

  restore({ position, selection, allHeads, breakpoints }: SavedSession): void {
    const contributions = this.#timeline.steps[position.step]?.contributions;
    if (
      contributions &&
      (position.contribution === null || position.contribution in contributions)
    ) {
      this.#cursor = { position: { ...position, term: null }, trail: [] };
    }
    this.#allHeads = allHeads;
    for (const node of breakpoints)
      if (this.#run.graph.nodes.some(({ id }) => id === node)) this.#breakpoints.add(node);
    this.select(selection);
    if (levelOf(position) === 'term' && position.term !== null) this.goToTerm(position.term);
  }

  runView(): RunView {
    return runView(this.#run, this.#timeline, this.#options(), {
      ...this.#about,
      breakpoints: this.#breakpoints,
    });
  }

  stepView(): StepView {
    return viewAt(this.#run, this.#timeline, this.position, this.#options());
  }

  /** What would be seen after this move; the walk stays where it is. */
  viewAfter(how: Move): StepView {
    const { position } = move(this.#walk(), this.#cursor, how);
    return viewAt(this.#run, this.#timeline, position, this.#options());
  }

  /** The node whose tensor the position is about: the receiver in the backward pass. */
  focus(): NodeId | null {
    return (
      contributionAt(this.#timeline, this.position)?.to ??
      this.#timeline.steps[this.position.step].node
    );
  }

  #options(): ViewOptions {
    return {
      selection: this.#selection,
      allHeads: this.#allHeads,
      energy: this.#about.energy,
      own: this.#own,
    };
  }

  #walk(): Walk {
    return {
      timeline: this.#timeline,
      breakpoints: this.#breakpoints,
      termCount: (step, contribution) =>
        termCountAt(this.#run, this.#timeline, step, contribution, this.#selection),
    };
  }
}
