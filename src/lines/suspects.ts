// Statements whose operands are right and whose result is not, and leads to nothing right: where a mistake may be.
import { type Key, sourcesOf } from '../compare/program.ts';
import type { Catalogue } from './catalogue.ts';
import { cone, type Flow, handedOn, leadsToRight } from './flow.ts';
import { ancestorsOf } from './goals.ts';
import { nodeNamed, type Observed } from './observe.ts';
import type { Recording } from './recording.ts';

export interface Suspect {
  /** The first wrong event of it. */
  readonly event: number;
  /** What its operands are; one operand may be several things. */
  readonly operands: readonly (readonly Key[])[];
  /** The result is none of the forms, is one that is incomplete, or is a sum of right terms that came out wrong. */
  readonly why: 'off' | 'incomplete' | 'sum';
  /** Something it reads is unknown: it is looked at only where nothing else is to be found. */
  readonly isDoubtful: boolean;
}

export interface Field {
  readonly recording: Recording;
  readonly catalogue: Catalogue;
  readonly observed: readonly Observed[];
  readonly flow: Flow;
  readonly covered: ReadonlySet<Key>;
  readonly goals: readonly Key[];
}

const keysOf = ({ found, pieces }: Observed): Key[] => [
  ...new Set([...found, ...pieces].map(({ entry }) => entry.key)),
];

interface Operands {
  readonly keys: Key[][];
  readonly isDoubtful: boolean;
}

/** What an event was computed from, through masks and numbers that tell nothing; null if anything of it is wrong. */
function operandsOf({ observed, flow, recording }: Field, id: number): Operands | null {
  const { events } = recording;
  const own = events[id];
  const keys: Key[][] = [];
  let isDoubtful = false;
  const seen = new Set([id]);
  const queue = [...flow.sources[id]];
  for (const source of queue) {
    if (seen.has(source)) continue;
    seen.add(source);
    const { standing, added } = observed[source];
    const { name, frame } = events[source];
    // Other versions of the same sum are judged as themselves.
    const isVersion = name === own.name && frame === own.frame && source !== id;
    if (standing === 'right' || standing === 'partial') keys.push(keysOf(observed[source]));
    else if (standing === 'neutral') queue.push(...flow.sources[source]);
    else if (standing === 'free' || standing === 'unknown') isDoubtful = true;
    else if (added) keys.push(keysOf(observed[source]));
    else if (isVersion && own.how === 'loop-end') return null;
    else return null;
  }
  return keys.length > 0 ? { keys, isDoubtful } : null;
}

/** All suspects, in the order of time, those that are no mistake whatever they are left out. */
export function suspectsOf(field: Field): Suspect[] {
  const { recording, observed, flow } = field;
  const leads = leadsToRight(recording, flow, observed);
  const found: Suspect[] = [];
  for (const { event, standing, added } of observed) {
    const { id, how } = event;
    if (leads[id] || how === 'gradient' || how === 'leaf') continue;
    if (standing !== 'off' && standing !== 'partial') continue;
    if (handedOn(recording, event) !== null) continue;
    const operands = operandsOf(field, id);
    if (!operands) continue;
    if (added && !isLast(field, id)) continue;
    const why = standing === 'partial' ? 'incomplete' : added || how === 'loop-end' ? 'sum' : 'off';
    found.push({ event: id, operands: operands.keys, isDoubtful: operands.isDoubtful, why });
  }
  return plausible(field, withoutBeginnings(field, found));
}

/** Whether no later version of the same array was recorded. */
function isLast({ recording: { events }, flow }: Field, id: number): boolean {
  const { name, frame } = events[id];
  return !flow.users[id].some((user) => {
    const other = events[user];
    return other.frame === frame && (other.name === name || other.alias === id);
  });
}

/** What is incomplete is innocent where a later statement that goes wrong was to complete it. */
function withoutBeginnings({ flow, observed }: Field, suspects: readonly Suspect[]): Suspect[] {
  const off = new Set(suspects.filter(({ why }) => why !== 'incomplete').map(({ event }) => event));
  return suspects.filter(({ event, why }) => {
    if (why !== 'incomplete') return true;
    for (const each of cone(flow, [event])) if (off.has(each)) return false;
    // It is told of the first of them.
    return !flow.sources[event].some(
      (source) => observed[source].standing === 'partial' && suspects.some((other) => other.event === source),
    );
  });
}

/** Those that can be the reason why something that was to be computed is missing. */
function plausible(field: Field, suspects: readonly Suspect[]): Suspect[] {
  const { catalogue, goals, covered, recording, observed, flow } = field;
  const ancestors = ancestorsOf(catalogue.graph);
  const missing = goals.filter((goal) => !covered.has(goal));
  const isForwardRight = covered.has('v:y');
  return suspects.filter(({ event, operands, why }) => {
    const of = missing.filter((goal) =>
      operands.every((keys) => keys.some((key) => ancestors.get(goal)?.has(key) && key !== goal)),
    );
    const own = why === 'incomplete' ? keysOf(observed[event]) : [];
    if (own.length > 0 && own.every((key) => covered.has(key))) return false;
    if (why === 'incomplete' && !isMissingPath(field, event)) return false;
    if (of.length === 0) return false;
    const after = [...cone(flow, [event])];
    if (!isForwardRight) return after.some((id) => (recording.tensor(id)?.data.length ?? 0) > 1);
    // With the outputs right, a mistake is one of the backward pass: it meets a gradient on its way.
    return after.some((id) => {
      if (nodeNamed(recording.events[id], recording)?.kind === 'gradient') return true;
      return flow.sources[id].some((source) =>
        observed[source].found.some(({ entry }) => entry.kind === 'gradient' && entry.role !== 'form'),
      );
    });
  });
}

/** Of a node's contributions: whether some were computed nowhere, so that this sum lacks them. */
function isMissingPath({ observed, catalogue }: Field, event: number): boolean {
  const paths = (id: number): [Key, string[]][] =>
    observed[id].found.flatMap(({ entry }) => {
      const [, names] = / through ([\w ]+)$/.exec(entry.title) ?? [];
      return names ? [[entry.key, names.split(' and ')]] : [];
    });
  const [own] = paths(event);
  if (!own) return true;
  const [key, names] = own;
  if (names.length > 1) return true;
  const computed = new Set(
    observed.flatMap(({ event: { id } }) => paths(id).flatMap(([of, some]) => (of === key ? some : []))),
  );
  const needed = sourcesOf(catalogue.state.program, key.slice(2));
  return needed.some(({ from }) => !computed.has(from));
}
