// Between which of a person's tensors an unknown mistake lies, what is ruled out, and what to log next.
import { type Graph, nodeOf, type NodeId, tensorName } from '../../engine/graph.ts';
import { causalOrder } from '../judge/causalOrder.ts';
import { type Key, type Kind, type State } from '../program/program.ts';
import { sourcesOf } from '../program/sources.ts';

const MOST_TOLD = 6;

const kindOf = (key: Key): Kind => (key.startsWith('v:') ? 'value' : 'gradient');
const nameOf = (key: Key): string => tensorName(key.slice(2), kindOf(key));

function listOf(keys: readonly Key[], word: string): string {
  const names = keys.slice(0, MOST_TOLD).map(nameOf);
  if (keys.length > MOST_TOLD) return `${names.join(', ')}, …`;
  return names.length < 2
    ? names.join('')
    : `${names.slice(0, -1).join(', ')} ${word} ${names[names.length - 1]}`;
}

const verb = (keys: readonly Key[]): string => (keys.length === 1 ? 'is' : 'are');

/**
 * `rightKeys`: the given tensors that are right. A step of which a right tensor was computed cannot be wrong, whatever
 * else is.
 */
export function whereabouts(state: State, key: Key, rightKeys: ReadonlySet<Key>): string[] {
  const { graph } = state.program;
  const order = causalOrder(graph);
  const sorted = (keys: Iterable<Key>): Key[] => {
    const own = new Set(keys);
    return order.filter((each) => own.has(each));
  };
  const region = regionOf(state, key);
  const isGiven = (each: Key): boolean =>
    each !== key &&
    region.has(each) &&
    (each.startsWith('v:') ? state.given.values : state.given.gradients).has(each.slice(2));
  const given = sorted(order.filter(isGiven)).filter((each) => !isParameter(graph, each));
  const between = sorted(region).filter(
    (each) => each !== key && !isGiven(each) && /^[vg]:/.test(each) && isStep(graph, each),
  );
  const right = given.filter((each) => rightKeys.has(each));
  const odd = given.filter((each) => !rightKeys.has(each));
  const others = sorted(rightKeys).filter(
    (each) => each !== key && !given.includes(each) && !isInput(graph, each),
  );
  const clearedBy = (keys: readonly Key[]): Key[] => {
    const read = new Set(keys.flatMap((each) => [...regionOf(state, each)]));
    return between.filter((each) => read.has(each));
  };
  const cleared = new Set(clearedBy([...right, ...others]));
  const suspects = between.filter((each) => !cleared.has(each));
  const says: string[] = [];
  if (right.length > 0)
    says.push(
      `${listOf(right, 'and')}, from which ${nameOf(key)} is computed, ${verb(right)} right`,
    );
  if (odd.length > 0)
    says.push(
      `${listOf(odd, 'and')} ${verb(odd)} taken as you have ${odd.length === 1 ? 'it' : 'them'}`,
    );
  const telling = others.filter((each) => clearedBy([each]).length > 0);
  if (telling.length > 0) {
    const out = clearedBy(telling);
    // What those were computed from is ruled out with them.
    const last = out.filter(
      (each) => !out.some((other) => other !== each && regionOf(state, other).has(each)),
    );
    says.push(
      `${listOf(telling, 'and')} ${verb(telling)} right too, which rules out ${listOf(last, 'and')} and what comes before`,
    );
  }
  if (suspects.length === 0)
    says.push(`so the mistake is in the step that makes ${nameOf(key)} and nowhere before it`);
  else {
    const middle = suspects[Math.floor((suspects.length - 1) / 2)];
    says.push(
      `so the mistake is in ${listOf([...suspects, key], 'or')}: log ${nameOf(middle)} next, which halves them`,
    );
  }
  return says;
}

/** Steps whose derivative is a number for each entry, whatever they are given. */
const CONSTANT =
  /^(mask|scale|dropout|rearrange|prepend|rotary embedding|given upstream gradient)$/;

/** The values that a contribution is computed from, beside the gradient that is passed back. */
function readBackward({ program }: State, from: NodeId, slot: number): NodeId[] {
  const { operation, inputs } = program.backward.get(from)!;
  if (operation.name === 'contraction')
    return inputs.filter((_, n) => n < 2 && n !== slot && slot < 2);
  if (operation.name === 'softmax') return [from];
  return CONSTANT.test(operation.name) ? [] : [...inputs, from];
}

/** All keys that `key` depends on, itself included; a given tensor ends a path. */
function regionOf(state: State, key: Key): ReadonlySet<Key> {
  const { program, given } = state;
  const found = new Set([key]);
  for (const each of found) {
    const id = each.slice(2);
    const isGiven = (each.startsWith('v:') ? given.values : given.gradients).has(id);
    if (isGiven && each !== key) continue;
    if (each.startsWith('v:')) {
      for (const input of program.forward.get(id)?.inputs ?? []) found.add(`v:${input}`);
      continue;
    }
    for (const { from, slot } of sourcesOf(program, id)) {
      found.add(`g:${from}`);
      for (const value of readBackward(state, from, slot)) found.add(`v:${value}`);
    }
  }
  return found;
}

const isInput = (graph: Graph, key: Key): boolean =>
  key.startsWith('v:') && nodeOf(graph, key.slice(2)).kind === 'input';
const isParameter = (graph: Graph, key: Key): boolean =>
  isInput(graph, key) && /^v:[Wb]_/.test(key);
const isStep = (graph: Graph, key: Key): boolean =>
  key.startsWith('g:') ? key !== 'g:f' : !isInput(graph, key);
