// Which tensors of the walk the inspector shows, and under which names and versions. Knows the session, not vscode.
import { axisLabel, axisName, bindingAt, type Binding, offsetAt } from '../../engine/axes.ts';
import { type GraphNode, type NodeId, nodeOf } from '../../engine/graph.ts';
import { pathWords } from '../../engine/paths.ts';
import type { Contribution } from '../../engine/run.ts';
import { add, indexOf, offsetOf, scalar, sameShape, type Tensor } from '../../engine/tensor.ts';
import type { Versioned } from '../../inspect/answers.ts';
import type {
  FromInspector,
  InspectorState,
  TensorInfo,
  WalkKind,
} from '../../inspect/messages.ts';
import { difference, fromTensor, type TensorSource } from '../../inspect/source.ts';
import type { Session } from '../../stepper/session.ts';
import type { OwnTensor } from '../../stepper/stepView.ts';
import { captionOf, contributionsDone, type Phase } from '../../stepper/timeline.ts';

/** A tensor from elsewhere (a file) that is pinned beside the walk's. */
export interface Guest {
  readonly info: TensorInfo;
  readonly source: TensorSource;
}

const KINDS: readonly WalkKind[] = [
  ...(['value', 'gradient', 'contribution'] as const),
  ...(['mineValue', 'mineGradient'] as const),
];
const OWN_KINDS = { mineValue: 'value', mineGradient: 'gradient' } as const;
/** Joins the ids of a difference; no id holds it. */
const MINUS = ' − ';

const plain = (name: string): string => name.replace('xPrime', 'x′').replace('xValue', 'x″');

/** Ids of the walk's tensors: "gradient P". */
function parseId(id: string): { kind: WalkKind; node: NodeId } | null {
  const [, kind, node] = /^(\w+) (\w+)$/.exec(id) ?? [];
  const known = KINDS.find((each) => each === kind);
  return known ? { kind: known, node } : null;
}

export class WalkModel {
  #session: Session | null = null;
  #held: NodeId | null = null;
  /** What was last chosen in each phase. */
  readonly #kinds: Record<Phase, WalkKind> = {
    start: 'value',
    forward: 'value',
    backward: 'gradient',
    result: 'gradient',
  };
  /** A pinned tensor that is looked at instead of the walk's. */
  #visiting: string | null = null;
  #against: string | null = null;
  readonly #pins: string[] = [];
  readonly #guests = new Map<string, Guest>();
  readonly #guestSelections = new Map<string, readonly number[]>();
  readonly #versions = new Map<string, { version: number; tensor: Tensor }>();
  /** Tensors of the present position, made when first asked for. */
  readonly #now = new Map<string, Tensor | null>();
  #place = '';
  #run: Session['run'] | undefined;
  #own: Session['own'] | undefined;
  readonly #select: (binding: Binding) => void;

  /** `select` selects an entry in the session, everywhere. */
  constructor(select: (binding: Binding) => void) {
    this.#select = select;
  }

  /** Tells that the walk, its selection or its run may have changed. */
  follow(session: Session | null): void {
    const place = session ? JSON.stringify(session.position) : '';
    const isSame =
      session === this.#session &&
      place === this.#place &&
      session?.run === this.#run &&
      session?.own === this.#own;
    if (!isSame) this.#now.clear();
    const isAnother = session !== this.#session;
    this.#session = session;
    this.#run = session?.run;
    this.#own = session?.own;
    this.#place = place;
    const isKnown = session?.run.graph.nodes.some(({ id }) => id === this.#held);
    if (isAnother || !isKnown) this.#held = null;
  }

  addGuest(guest: Guest): void {
    this.#guests.set(guest.info.id, guest);
    if (!this.#pins.includes(guest.info.id)) this.#pins.push(guest.info.id);
  }

  removeGuests(isGone: (id: string) => boolean): void {
    for (const id of this.#guests.keys()) {
      if (!isGone(id)) continue;
      this.#guests.delete(id);
      this.#unpin(id);
    }
  }

  /** True if the message was about the model. */
  receive(message: FromInspector): boolean {
    switch (message.type) {
      case 'kind': {
        const { phase } = this.#step();
        this.#kinds[phase] = message.kind;
        this.#visiting = null;
        return true;
      }
      case 'hold':
        this.#held = message.node;
        this.#visiting = null;
        return true;
      case 'show':
        this.#visiting = message.tensor;
        return true;
      case 'against':
        this.#against = message.tensor;
        return true;
      case 'pin':
        if (!message.pinned) this.#unpin(message.tensor);
        else if (!this.#pins.includes(message.tensor)) this.#pins.push(message.tensor);
        return true;
      case 'select':
        this.#selectIn(message.tensor, message.index);
        return true;
      default:
        return false;
    }
  }

  find(id: string): Versioned | null {
    const parts = id.split(MINUS);
    if (parts.length === 2) {
      const [a, b] = parts.map((part) => this.find(part));
      if (!a || !b || !sameShape(a.source.shape, b.source.shape)) return null;
      return { version: a.version * 2 ** 20 + b.version, source: difference(a.source, b.source) };
    }
    const guest = this.#guests.get(id);
    if (guest) return { version: guest.info.version, source: guest.source };
    const tensor = this.#tensor(id);
    return tensor && { version: this.#versionOf(id, tensor), source: fromTensor(tensor) };
  }

  state(): InspectorState {
    const nothing = {
      file: null,
      walk: null,
      shown: null,
      selected: null,
      against: null,
      comparable: [],
    };
    const pins = this.#pins.flatMap((id) => this.#infoOf(id) ?? []);
    const session = this.#session;
    if (!session) {
      const message =
        'Open a setup (*.attention.json) and run "Step Attention Backprop": its tensors appear here.';
      const guest = this.#visiting === null ? null : this.#infoOf(this.#visiting);
      if (!guest)
        return { ...nothing, pins, problem: null, empty: { message, action: 'openExample' } };
      return {
        ...nothing,
        pins,
        problem: null,
        empty: null,
        shown: guest,
        selected: this.#selectionOf(guest.id),
      };
    }
    const node = this.#held ?? session.focus() ?? session.run.graph.nodes[0].id;
    const kinds = KINDS.filter((kind) => this.#tensor(`${kind} ${node}`) !== null);
    const wanted = this.#kinds[this.#step().phase];
    const kind = kinds.includes(wanted) ? wanted : (kinds[0] ?? wanted);
    const id =
      this.#visiting !== null && this.find(this.#visiting) ? this.#visiting : `${kind} ${node}`;
    const info = this.#infoOf(id);
    const comparable = info ? this.#comparable(info) : [];
    const against = comparable.some((each) => each.id === this.#against) ? this.#against : null;
    const shown = against === null ? info : this.#infoOf(`${id}${MINUS}${against}`);
    return {
      ...nothing,
      empty: null,
      problem: info ? null : `${plain(node)} is not computed yet: step on, or choose another node.`,
      walk: {
        caption: plain(captionOf(session.timeline, session.position)),
        ...{ kind, kinds, node },
        nodes: session.run.graph.nodes.map((each) => each.id),
        held: this.#held !== null,
      },
      ...{ shown, against, comparable, pins },
      selected: shown && this.#selectionOf(id),
    };
  }

  #step(): { readonly phase: Phase } {
    return this.#session?.timeline.steps[this.#session.position.step] ?? { phase: 'start' };
  }

  #unpin(id: string): void {
    const at = this.#pins.indexOf(id);
    if (at >= 0) this.#pins.splice(at, 1);
    if (this.#visiting === id) this.#visiting = null;
  }

  #node(id: NodeId): GraphNode | null {
    return this.#session?.run.graph.nodes.find((each) => each.id === id) ?? null;
  }

  /** Contributions to a node that have been made at this position. */
  #arrived(node: NodeId): Contribution[] {
    const { run, timeline, position } = this.#session!;
    return run.contributions
      .slice(0, contributionsDone(timeline, position))
      .filter(({ to }) => to === node);
  }

  /** Null for what does not exist (yet) at this position. */
  #tensor(id: string): Tensor | null {
    const known = this.#now.get(id);
    if (known !== undefined) return known;
    const made = this.#make(id);
    this.#now.set(id, made);
    return made;
  }

  #make(id: string): Tensor | null {
    const parsed = parseId(id);
    if (!this.#session || !parsed || !this.#node(parsed.node)) return null;
    const { kind, node } = parsed;
    const { run, timeline, position } = this.#session;
    if (kind === 'mineValue' || kind === 'mineGradient') {
      return this.#mine(kind, node)?.tensor ?? null;
    }
    if (kind === 'value') {
      const computedAt = timeline.steps.findIndex(
        (step) => step.phase === 'forward' && step.node === node,
      );
      return computedAt <= position.step ? (run.values.get(node) ?? null) : null;
    }
    const arrived = this.#arrived(node).map(({ value }) => value);
    if (kind === 'contribution') return arrived.at(-1) ?? null;
    if (node === 'f' && /^(backward|result)$/.test(this.#step().phase)) return scalar(1);
    return arrived.length === 0 ? null : arrived.slice(1).reduce(add, arrived[0]);
  }

  /** The person's own tensor, if it fits this setup. */
  #mine(kind: keyof typeof OWN_KINDS, id: NodeId): OwnTensor | null {
    const shape = this.#node(id)?.shape ?? [];
    const own = this.#session?.own.find(
      (each) => each.node === id && each.kind === OWN_KINDS[kind],
    );
    return own && sameShape(own.tensor.shape, shape) ? own : null;
  }

  /** A version stays as long as the numbers do, also over another run. */
  #versionOf(id: string, tensor: Tensor): number {
    const last = this.#versions.get(id);
    if (last?.tensor === tensor) return last.version;
    const isSame =
      last &&
      sameShape(last.tensor.shape, tensor.shape) &&
      last.tensor.data.every((value, at) => Object.is(value, tensor.data[at]));
    const version = last ? last.version + (isSame ? 0 : 1) : 1;
    this.#versions.set(id, { version, tensor });
    return version;
  }

  #infoOf(id: string): TensorInfo | null {
    const parts = id.split(MINUS);
    if (parts.length === 2) {
      const [a, b] = parts.map((part) => this.#infoOf(part));
      const found = this.find(id);
      if (!a || !b || !found) return null;
      return {
        ...a,
        id,
        version: found.version,
        name: `${a.name} − ${b.name}`,
        note: 'difference',
        dtype: found.source.dtype,
      };
    }
    const guest = this.#guests.get(id);
    if (guest) return guest.info;
    const parsed = parseId(id);
    const node = parsed && this.#node(parsed.node);
    if (!parsed || !node) return null;
    const { kind } = parsed;
    const tensor = this.#tensor(id);
    const arrived = this.#arrived(node.id);
    const all = this.#session!.run.contributions.filter(({ to }) => to === node.id).length;
    const last = arrived.at(-1);
    const notes: Record<WalkKind, string> = {
      value: node.kind === 'input' ? 'input' : 'value',
      gradient:
        arrived.length >= all
          ? 'gradient'
          : `gradient so far: ${arrived.length} of ${all} contributions`,
      contribution: last ? `from ${plain(last.from)}, ${pathWords[last.path]}` : 'contribution',
      mineValue: `yours: ${this.#mine('mineValue', node.id)?.name}`,
      mineGradient: `yours: ${this.#mine('mineGradient', node.id)?.name}`,
    };
    const names: Record<WalkKind, string> = {
      value: node.id,
      gradient: `d${node.id}`,
      contribution: `d${node.id} ← ${last?.from ?? '…'}`,
      mineValue: `your ${node.id}`,
      mineGradient: `your d${node.id}`,
    };
    const isWaited = tensor === null && this.#pins.includes(id);
    if (tensor === null && !isWaited) return null;
    return {
      id,
      version: tensor ? this.#versionOf(id, tensor) : 0,
      name: plain(names[kind]),
      note: tensor ? notes[kind] : 'nothing yet',
      axes: node.axes.map((axis, n) => ({
        name: `${axisName(axis)} ${axisLabel(axis)}`,
        length: node.shape[n],
      })),
      dtype: 'float64',
    };
  }

  #comparable({ id, axes }: TensorInfo): { id: string; name: string }[] {
    const shape = axes.map(({ length }) => length);
    const walk = this.#session!.run.graph.nodes.filter((node) =>
      sameShape(node.shape, shape),
    ).flatMap((node) => KINDS.map((kind) => `${kind} ${node.id}`));
    const guests = [...this.#guests.values()]
      .filter(({ source }) => sameShape(source.shape, shape))
      .map(({ info }) => info.id);
    return [...walk, ...guests]
      .filter((each) => each !== id && this.find(each) !== null)
      .map((each) => ({ id: each, name: this.#infoOf(each)!.name }));
  }

  #selectionOf(id: string): readonly number[] | null {
    const parsed = parseId(id);
    if (!parsed) return this.#guestSelections.get(id) ?? null;
    const { run, selection } = this.#session!;
    const node = nodeOf(run.graph, parsed.node);
    const { extents } = run.graph;
    const clamped = Object.fromEntries(
      Object.entries(selection).map(([letter, at]) => [
        letter,
        Math.min(at, (extents[letter] ?? 1) - 1),
      ]),
    );
    return indexOf(node.shape, offsetAt(node.axes, extents, clamped));
  }

  #selectIn(tensor: string, index: readonly number[]): void {
    const id = tensor.split(MINUS)[0];
    const parsed = parseId(id);
    if (!parsed) {
      this.#guestSelections.set(id, index);
      return;
    }
    const node = this.#node(parsed.node);
    if (!node || !this.#session || index.length !== node.shape.length) return;
    this.#select(
      bindingAt(node.axes, this.#session.run.graph.extents, offsetOf(node.shape, index)),
    );
  }
}
