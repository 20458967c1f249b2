// The statements of a program that call the person's attention.
import type { Catalogue } from '../align/catalogue.ts';
import type { Judged } from '../judge.ts';
import type { Observed } from '../align/observe.ts';
import type { Event, Recording, Statement } from '../recorded/recording.ts';
import { isComputed, meaning } from './meaning.ts';
import { calledFunction, callText, type Made, objectsOf } from './objects.ts';
import { NoTest } from './types.ts';

/** A call of the person's: a statement, or what of it only calls and returns the output. */
export interface Call {
  readonly statement: number;
  readonly text: string;
  /** What it gives, by the name that it has then. */
  readonly made: readonly { readonly name: string; readonly event: Event }[];
}

export interface Calls {
  readonly recording: Recording;
  readonly observed: ReadonlyMap<number, Observed>;
  readonly catalogue: Catalogue;
  /** Functions and classes of the person's, by the name that a call begins with. */
  readonly own: ReadonlySet<string>;
  /** Index of the function whose statements they are. */
  readonly inside: number;
  /** Objects of the person's classes that it makes. */
  readonly objects: ReadonlyMap<string, Made>;
  readonly calls: readonly Call[];
}

interface Scope {
  readonly inside: number;
  readonly statements: readonly number[];
  readonly objects: ReadonlyMap<string, Made>;
}

export const rootOf = (name: string): string => name.split(/[.[]/, 1)[0];

const ownNames = ({ functions }: Recording): Set<string> =>
  new Set(functions.flatMap(({ name }) => (name === '' ? [] : [rootOf(name)])));

/** What is called of the person's: "attend", "Tiled.apply", "layer.backward". */
export const calledIn = (
  text: string,
  own: ReadonlySet<string>,
  objects: ReadonlyMap<string, Made>,
): string[] =>
  [...text.matchAll(/\b(\w+(?:\.\w+)*)\s*\(/g)]
    .map(([, name]) => name)
    .filter((name) => own.has(rootOf(name)) || objects.has(rootOf(name)));

/** The same by function and class. */
const callsOf = (
  { text }: Statement,
  own: ReadonlySet<string>,
  objects: ReadonlyMap<string, Made>,
): string[] =>
  calledIn(text, own, objects).map((name) => objects.get(rootOf(name))?.type ?? rootOf(name));

/** Throws NoTest. */
export function callsIn(
  recording: Recording,
  { localised, catalogue }: Judged,
  only?: string,
): Calls {
  const observed = new Map(localised.observed.map((each) => [each.event.id, each]));
  const own = ownNames(recording);
  const scope = scopeOf(recording, own);
  const calls: Call[] = [];
  const all = {
    ...{ recording, observed, catalogue, own, calls },
    inside: scope?.inside ?? 0,
    objects: scope?.objects ?? new Map(),
  };
  const results = new Set<string>();
  for (const at of scope?.statements ?? []) {
    const statement = recording.statements[at];
    const called = callsOf(statement, own, all.objects);
    const isMeant = only === undefined || called.includes(rootOf(only));
    const goesOn = statement.loads.some((name) => results.has(rootOf(name)));
    if (called.length === 0 || statement.kind !== 'assign' || !(isMeant || goesOn)) continue;
    const call = wholeCall(all, at) ?? innerCall(all, at);
    if (!call) continue;
    if (call.made.some(({ event }) => event.frame === 0 && event.loops.length > 0))
      throw new NoTest(`line ${statement.line}: it is called in a loop`);
    calls.push(call);
    for (const target of statement.targets) results.add(rootOf(target));
  }
  return all;
}

function wholeCall({ recording, observed, catalogue }: Calls, statement: number): Call | null {
  const made = recording.events
    .filter(
      (event) => event.statement === statement && (event.how === 'bind' || event.how === 'write'),
    )
    .map((event) => ({ name: event.name, event }));
  const computes = made.some(({ event }) => {
    const is = meaning(observed.get(event.id));
    return is !== null && isComputed(is, catalogue.graph);
  });
  return computes ? { statement, text: recording.statements[statement].text, made } : null;
}

/** "loss = mse(attend(x), target)": the call that gives the output, alone. */
function innerCall(all: Calls, statement: number): Call | null {
  const { recording, observed, own, objects } = all;
  const { text } = recording.statements[statement];
  const begin = beginOf(all, statement);
  for (const called of calledIn(text, own, objects)) {
    const callee = calledFunction(recording, called, objects);
    const event = recording.events.find(
      ({ id, how, name, statement: at }) =>
        id >= begin &&
        how === 'return' &&
        name === 'return' &&
        recording.statements[at].function === callee,
    );
    const is = event && meaning(observed.get(event.id));
    const whole = is?.entry.key === 'v:y' ? callText(text, called) : null;
    if (event && whole !== null)
      return { statement, text: `output = ${whole}`, made: [{ name: 'output', event }] };
  }
  return null;
}

/** The first event that a statement's own functions may have made. */
export function beginOf({ recording, inside }: Calls, at: number): number {
  const own = recording.events.findIndex(({ statement }) => statement === at);
  for (let id = own - 1; id >= 0; id--)
    if (recording.statements[recording.events[id].statement].function === inside) return id + 1;
  return 0;
}

function scopeOf(recording: Recording, own: ReadonlySet<string>): Scope | null {
  const { functions, statements, events } = recording;
  const within = (inside: number): number[] =>
    statements.flatMap((each, at) => (each.function === inside && each.file === 0 ? [at] : []));
  const takesTensors = new Set(
    events
      .filter(({ how, shape }) => how === 'argument' && shape.length > 0)
      .map(({ statement }) => functions[statements[statement].function].name),
  );
  const calls = (inside: number): string[] => {
    const objects = objectsOf(recording, within(inside));
    return within(inside).flatMap((at) => callsOf(statements[at], own, objects));
  };
  const drivers = functions.flatMap(({ name, file }, at) =>
    file === 0 && calls(at).length > 0 && (name === '' || !takesTensors.has(name)) ? [at] : [],
  );
  const isMet = new Set(events.map(({ statement }) => statement));
  const worth = (inside: number): number => {
    const objects = objectsOf(recording, within(inside));
    return within(inside).filter(
      (at) =>
        isMet.has(at) &&
        callsOf(statements[at], own, objects).some((name) => hasTensors(takesTensors, name)),
    ).length;
  };
  const [inside] = drivers.sort((a, b) => worth(b) - worth(a));
  if (inside === undefined || worth(inside) === 0) return null;
  const objects = objectsOf(recording, within(inside));
  return { inside, statements: within(inside), objects };
}

const hasTensors = (takers: ReadonlySet<string>, name: string): boolean =>
  [...takers].some((taker) => rootOf(taker) === name);
