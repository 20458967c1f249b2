// Which statements of a program call the person's attention, what they are given, and what comes out.
import { keyOf } from '../../compare/program.ts';
import { sameShape, type Tensor } from '../../engine/tensor.ts';
import { resolveName } from '../../formats/nodeNames.ts';
import type { Alignment } from '../align.ts';
import { isNear, isReordered, isWhole } from '../align.ts';
import type { Catalogue } from '../catalogue.ts';
import type { Judged } from '../judge.ts';
import type { Observed } from '../observe.ts';
import type { Event, Recording, Statement } from '../recording.ts';

/** A tensor or number that the calls read and do not make. */
export interface Given {
  /** As it stands in the program: "x", "w['q']". */
  readonly name: string;
  readonly event: Event;
  readonly tensor: Tensor | null;
  /** Of a tensor that is no mask: what it is. */
  readonly is: Alignment | null;
  /** A variable of the module that the person's functions read by themselves. */
  readonly isGlobal: boolean;
}

/** A tensor that the calls make and the reference has. */
export interface Outcome {
  readonly name: string;
  readonly is: Alignment;
}

export interface Plan {
  /** Names of the module that the calls read: functions, classes, modules. */
  readonly imports: readonly string[];
  readonly given: readonly Given[];
  /** The calls as they are written, in their order. */
  readonly calls: readonly string[];
  readonly outcomes: readonly Outcome[];
  readonly isTorch: boolean;
}

/** Why no test can be written, in one line. */
export class NoTest extends Error {}

interface Scope {
  readonly recording: Recording;
  readonly observed: ReadonlyMap<number, Observed>;
  /** Index of the function whose statements are looked at. */
  readonly inside: number;
  readonly statements: readonly number[];
}

const rootOf = (name: string): string => name.split(/[.[]/, 1)[0];

/** Functions and classes of the person's, by the name that a call begins with. */
const ownNames = ({ functions }: Recording): Set<string> =>
  new Set(functions.flatMap(({ name }) => (name === '' ? [] : [rootOf(name)])));

const callsOf = ({ text }: Statement, own: ReadonlySet<string>): string[] =>
  [...text.matchAll(/\b(\w+)(?:\.\w+)*\s*\(/g)].map(([, name]) => name).filter((n) => own.has(n));

/** What an event is, for sure: all of a form, in the order of its axes. */
function meaning(observed: Observed | undefined): Alignment | null {
  const [best] = observed?.found ?? [];
  return best && best.entry.role !== 'partial' && isWhole(best) && !isReordered(best) ? best : null;
}

const isComputed = ({ entry }: Alignment, { nodes }: Judged['catalogue']['graph']): boolean =>
  entry.kind === 'gradient'
    ? entry.node !== 'y'
    : nodes.some(({ id, kind }) => id === entry.node && kind === 'operation');

/** What numbers that are all alike must be, by their name and shape: zeros of a bias, dy of ones. */
function namedAs({ name }: Event, tensor: Tensor, { graph, entries }: Catalogue): Alignment | null {
  const resolved = resolveName(name);
  const node = graph.nodes.find(({ id }) => id === resolved?.node);
  if (!resolved || !node || !sameShape(node.shape, tensor.shape)) return null;
  const key = keyOf(resolved.node, resolved.kind);
  const entry = entries.find((each) => each.role === 'node' && each.key === key);
  if (!entry?.data.every((value, n) => isNear(tensor.data[n], value, entry.tolerance))) return null;
  const ranges = entry.letters.map((letter, n) => {
    return [letter, { start: 0, step: 1, count: entry.lengths[n] }] as const;
  });
  return { entry, axes: node.axes, ranges: new Map(ranges) };
}

/** Throws NoTest. */
export function planOf(recording: Recording, judged: Judged, only?: string): Plan {
  const observed = new Map(judged.localised.observed.map((each) => [each.event.id, each]));
  const own = ownNames(recording);
  const scope = scopeOf(recording, observed, own);
  const { graph } = judged.catalogue;
  const made = (at: number): Event[] =>
    recording.events.filter(
      ({ statement, how }) => statement === at && (how === 'bind' || how === 'write'),
    );
  const included: number[] = [];
  const results = new Set<string>();
  for (const at of scope.statements) {
    const statement = recording.statements[at];
    const called = callsOf(statement, own);
    const isMeant = only === undefined || called.includes(rootOf(only));
    const goesOn = statement.loads.some((name) => results.has(rootOf(name)));
    if (called.length === 0 || statement.kind !== 'assign' || !(isMeant || goesOn)) continue;
    const computes = made(at).some((event) => {
      const is = meaning(observed.get(event.id));
      return is !== null && isComputed(is, graph);
    });
    if (!computes) continue;
    if (made(at).some(({ loops }) => loops.length > 0))
      throw new NoTest(`line ${statement.line}: it is called in a loop`);
    included.push(at);
    for (const target of statement.targets) results.add(rootOf(target));
  }
  if (included.length === 0)
    throw new NoTest('no function of it is called with tensors, which could be given others');
  return planFrom({ scope, catalogue: judged.catalogue, own, included, made });
}

function scopeOf(
  recording: Recording,
  observed: Scope['observed'],
  own: ReadonlySet<string>,
): Scope {
  const { functions, statements, events } = recording;
  const within = (inside: number): number[] =>
    statements.flatMap((each, at) => (each.function === inside && each.file === 0 ? [at] : []));
  const takesTensors = new Set(
    events
      .filter(({ how, shape }) => how === 'argument' && shape.length > 0)
      .map(({ statement }) => functions[statements[statement].function].name),
  );
  const calls = (inside: number): string[] =>
    within(inside).flatMap((at) => callsOf(statements[at], own));
  const drivers = functions.flatMap(({ name, file }, at) =>
    file === 0 && calls(at).length > 0 && (name === '' || !takesTensors.has(name)) ? [at] : [],
  );
  const isMet = new Set(events.map(({ statement }) => statement));
  const worth = (inside: number): number =>
    within(inside).filter(
      (at) =>
        isMet.has(at) &&
        callsOf(statements[at], own).some((name) => hasTensors(takesTensors, name)),
    ).length;
  const [inside] = drivers.sort((a, b) => worth(b) - worth(a));
  if (inside === undefined || worth(inside) === 0)
    throw new NoTest('no function of it is called with tensors, which could be given others');
  return { recording, observed, inside, statements: within(inside) };
}

const hasTensors = (takers: ReadonlySet<string>, name: string): boolean =>
  [...takers].some((taker) => rootOf(taker) === name);

interface Included {
  readonly scope: Scope;
  readonly catalogue: Catalogue;
  readonly own: ReadonlySet<string>;
  readonly included: readonly number[];
  readonly made: (at: number) => Event[];
}

function planFrom({ scope, catalogue, own, included, made }: Included): Plan {
  const { recording, observed, inside } = scope;
  const { statements, events, files } = recording;
  const bound = new Set<string>();
  const imports = new Set<string>();
  const given = new Map<string, Given>();
  const giveAll = (name: string, before: number, where: number, isGlobal: boolean): boolean => {
    const all = newest(recording, name, before, where);
    for (const event of all) {
      const tensor = event.shape.length > 0 ? recording.tensor(event.id) : null;
      const is = tensor && (meaning(observed.get(event.id)) ?? namedAs(event, tensor, catalogue));
      given.set(event.name, { name: event.name, event, tensor, is, isGlobal });
    }
    return all.length > 0;
  };
  for (const at of included) {
    const first = made(at)[0].id;
    const { loads, targets, line } = statements[at];
    for (const name of new Set(loads.map(rootOf))) {
      if (bound.has(name) || given.has(name) || imports.has(name)) continue;
      const start = events.find(({ statement }) => statement === at)?.id ?? first;
      if (own.has(name) || !giveAll(name, start, inside, false)) {
        const module = statements.some(
          ({ targets: all, function: where }) => where === inside && all.includes(name),
        );
        if (module && !own.has(name))
          throw new NoTest(`line ${line}: ${name} is no tensor, number, list or dict of them`);
        if (!BUILTIN.test(name)) imports.add(name);
      }
    }
    for (const target of targets) bound.add(rootOf(target));
  }
  for (const name of globalsRead(recording)) {
    if (bound.has(name) || given.has(name) || own.has(name)) continue;
    giveAll(name, Infinity, functionNamed(recording, ''), true);
  }
  const outcomes = included.flatMap((at) =>
    made(at).flatMap((event) => {
      const tensor = recording.tensor(event.id);
      const is = meaning(observed.get(event.id)) ?? (tensor && namedAs(event, tensor, catalogue));
      const isResult = is && (is.entry.kind === 'gradient' || is.entry.node === 'y');
      return isResult && is.entry.role === 'node' ? [{ name: event.name, is }] : [];
    }),
  );
  if (outcomes.length === 0)
    throw new NoTest('nothing that its functions return is the output or a gradient');
  return {
    imports: [...imports],
    given: [...given.values()],
    calls: included.map((at) => statements[at].text),
    outcomes,
    isTorch: files.some(({ source }) => /^\s*(import|from) torch\b/m.test(source)),
  };
}

const BUILTIN = /^(int|float|len|range|tuple|list|dict|print|max|min|sum|True|False|None)$/;

const functionNamed = ({ functions }: Recording, wanted: string): number =>
  functions.findIndex(({ name, file }) => name === wanted && file === 0);

/** The last events of a variable before a moment: its own, or those of its parts. */
function newest(recording: Recording, name: string, before: number, inside: number): Event[] {
  const found = new Map<string, Event>();
  for (const event of recording.events) {
    if (event.id >= before) break;
    const statement = recording.statements[event.statement];
    if (statement.function !== inside || rootOf(event.name) !== name) continue;
    if (event.how === 'bind') found.set(event.name, event);
  }
  return [...found.values()];
}

/** Variables of the module that functions read without making them. */
function globalsRead({ statements, functions }: Recording): string[] {
  const own = new Map<number, Set<string>>();
  for (const { function: inside, targets, kind, text } of statements) {
    const names = own.get(inside) ?? new Set<string>();
    own.set(inside, names);
    for (const target of targets) names.add(rootOf(target));
    if (kind === 'parameter' || kind === 'argument') names.add(rootOf(text));
  }
  const read = statements.flatMap(({ function: inside, loads, file }) =>
    file === 0 && functions[inside].name !== ''
      ? loads.map(rootOf).filter((name) => !own.get(inside)!.has(name))
      : [],
  );
  const module = own.get(functions.findIndex(({ name, file }) => name === '' && file === 0));
  return [...new Set(read)].filter((name) => module?.has(name));
}
