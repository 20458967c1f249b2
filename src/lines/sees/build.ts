// The same attention with other sizes and random numbers, and every given tensor and outcome in the person's layout.
import { type AxisLetters, type Extents, type Letter, shapeOf } from '../../engine/axes.ts';
import type { HeadConfig, Loss, Mask } from '../../engine/config.ts';
import type { Graph } from '../../engine/graph.ts';
import { buildGraph } from '../../engine/heads/build.ts';
import { sameShape, sizeOf, strides, type Tensor } from '../../engine/tensor.ts';
import { randomTensor } from '../../formats/random.ts';
import type { Alignment } from '../align/align.ts';
import { buildCatalogue, type Catalogue, type Entry } from '../align/catalogue.ts';
import { along, arrangements, writingOf } from './masks.ts';
import { type Given, NoTest, type Outcome, type Plan } from './types.ts';
import { lengthOne, type Sizes } from './sizes.ts';

export interface Expected {
  readonly name: string;
  readonly tensor: Tensor;
  readonly of: string;
}

export interface Inputs {
  /** By the name in the program. */
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly numbers: ReadonlyMap<string, number>;
  readonly outcomes: readonly Expected[];
  /** Where PyTorch differentiates: the output's upstream gradient, and the gradients of what is given. */
  readonly upstream: Expected | null;
  readonly gradients: readonly Expected[];
  /** "2 batch entries, 7 keys, ...". */
  readonly sizes: string;
}

const normal = (shape: readonly number[], seed: number, std = 1): Tensor =>
  randomTensor({ distribution: 'normal', shape, seed, mean: 0, std, low: 0, high: 1 });

/** Throws NoTest where a part of the setup or a given tensor cannot be made in other sizes. */
export function inputsFor(plan: Plan, old: Catalogue, { extents, numbers }: Sizes): Inputs {
  const isGradientGiven = plan.given.some(
    ({ is }) => is?.entry.key === 'g:y' && is.entry.role === 'node',
  );
  const differentiates =
    plan.isTorch && !plan.outcomes.some(({ is }) => is.entry.kind === 'gradient');
  const open = openMask(plan.given, old);
  const asked = open ? { ...old, config: { ...old.config, mask: open.mask } } : old;
  const config = resized(asked, extents, isGradientGiven || differentiates);
  const graph = buildGraph(config);
  const now = buildCatalogue(config, graph, old.type);
  const tensors = new Map<string, Tensor>();
  for (const given of plan.given) {
    if (given.event.shape.length === 0) continue;
    const tensor = given.is
      ? laidOut(given.is, now)
      : given === open?.given
        ? open.written(now)
        : given.parts.length > 0
          ? joinedOf(given, old, now)
          : maskLike(given, old, now);
    // What an object has beside its weights, such as tables, it makes by itself.
    const isLeft = given.isGlobal || (given.isAttribute && given.parts.length === 0);
    if (!tensor && !isLeft)
      throw new NoTest(`${given.name} is no tensor of the attention, and cannot be made anew`);
    if (tensor) tensors.set(given.name, tensor);
  }
  const expected = ({ name, is }: Outcome): Expected => ({
    ...{ name, tensor: laidOut(is, now)!, of: is.entry.title },
  });
  const y = plan.outcomes.find(({ is }) => is.entry.key === 'v:y');
  return {
    ...{ tensors, numbers },
    outcomes: plan.outcomes.map(expected),
    upstream:
      differentiates && y ? { name: y.name, tensor: laidOut(y.is, now, 'g:y')!, of: 'dy' } : null,
    gradients: differentiates ? gradientsOf(plan, graph, old, now) : [],
    sizes: described(config, extents),
  };
}

function gradientsOf(plan: Plan, { nodes }: Graph, old: Catalogue, now: Catalogue): Expected[] {
  return plan.given.flatMap((given) => {
    const { name, is, isGlobal, parts } = given;
    if (parts.length > 0) {
      const tensor = joinedOf(given, old, now, (node) => `g:${node}`);
      return tensor
        ? [{ name, tensor, of: parts.map(({ entry }) => `d${entry.node}`).join(', ') }]
        : [];
    }
    const isInput = nodes.some(({ id, kind }) => id === is?.entry.node && kind === 'input');
    if (!is || isGlobal || is.entry.role !== 'node' || !isInput) return [];
    const tensor = laidOut(is, now, `g:${is.entry.node}`);
    return tensor ? [{ name, tensor, of: `d${is.entry.node}` }] : [];
  });
}

/** The form of the new run that an aligned tensor is, with its axes as the person has them. */
function laidOut(is: Alignment, now: Catalogue, key: string = is.entry.key): Tensor | null {
  const isSame = ({ role, title, letters }: Entry): boolean =>
    role === is.entry.role &&
    (key !== is.entry.key || title === is.entry.title) &&
    letters.join('') === is.entry.letters.join('');
  const entry = now.entries.find((each) => each.key === key && isSame(each));
  if (!entry) return null;
  const single = lengthOne(is);
  const axes = is.axes.map((axis) => (axis.length > 0 ? axis : single.splice(0, 1)));
  return arranged(entry, axes);
}

/** Several forms joined along one axis, as they were; null where they were joined otherwise. */
function joinedOf(
  { parts, event }: Given,
  old: Catalogue,
  now: Catalogue,
  keyOf = (node: string): string => `v:${node}`,
): Tensor | null {
  const before = parts.map((part) => laidOut(part, old));
  const after = parts.map((part) => laidOut(part, now, keyOf(part.entry.node)));
  const rank = event.shape.length;
  const axis = event.shape.findIndex((length, n) =>
    before.some((each) => each?.shape[n] !== length),
  );
  const isJoined = before.every(
    (each) =>
      each?.shape.length === rank &&
      each.shape.every((length, n) => n === axis || length === event.shape[n]),
  );
  const length = before.reduce((sum, each) => sum + (each?.shape[axis] ?? NaN), 0);
  if (axis < 0 || !isJoined || length !== event.shape[axis] || after.includes(null)) return null;
  return joined(after as Tensor[], axis);
}

function joined(some: readonly Tensor[], axis: number): Tensor {
  const [first] = some;
  const outer = sizeOf(first.shape.slice(0, axis));
  const shape = first.shape.map((length, n) =>
    n === axis ? some.reduce((sum, each) => sum + each.shape[n], 0) : length,
  );
  const data = new Float64Array(sizeOf(shape));
  let at = 0;
  for (let o = 0; o < outer; o++)
    for (const { shape: own, data: from } of some) {
      const run = sizeOf(own.slice(axis));
      data.set(from.subarray(o * run, (o + 1) * run), at);
      at += run;
    }
  return { shape, data };
}

function arranged(
  { letters, lengths, strides: steps, data }: Entry,
  axes: readonly AxisLetters[],
): Tensor {
  const order = axes.flat();
  const at = (letter: Letter): number => letters.indexOf(letter);
  const shape = axes.map((axis) => sizeOf(axis.map((letter) => lengths[at(letter)])));
  const result = new Float64Array(sizeOf(shape));
  const inner = order.map((letter) => lengths[at(letter)]);
  const own = strides(inner);
  for (let n = 0; n < result.length; n++) {
    let from = 0;
    for (let k = 0; k < order.length; k++)
      from += (Math.floor(n / own[k]) % inner[k]) * steps[at(order[k])];
    result[n] = data[from];
  }
  return { shape, data: result };
}

/** A mask that is given: which keys each query sees, in the person's way of writing it; null where it is none. */
function maskLike(
  { tensor }: Given,
  { visible: old, ...was }: Catalogue,
  now: Catalogue,
): Tensor | null {
  const fresh = now.visible;
  if (!old || !fresh || !tensor) return null;
  const long = tensor.shape.filter((length) => length > 1);
  for (const letters of arrangements(old.letters, was.graph.extents, long)) {
    const seen = along(old, was.graph.extents, letters);
    const written = seen && writingOf(tensor.data, seen);
    const next = written && along(fresh, now.graph.extents, letters);
    if (!written || !next) continue;
    const rest = [...letters];
    const shape = tensor.shape.map((length) => (length > 1 ? now.graph.extents[rest.shift()!] : 1));
    return { shape, data: Float64Array.from(next, (each) => written[each]) };
  }
  return null;
}

interface OpenMask {
  readonly given: Given;
  readonly mask: Mask;
  /** The same mask of another run, as the person writes it. */
  readonly written: (now: Catalogue) => Tensor | null;
}

/** A mask that is given and hides nothing: its own run cannot show what it does. */
function openMask(all: readonly Given[], { config, graph }: Catalogue): OpenMask | null {
  const given = all.find(({ name, is, tensor }) => {
    return !is && tensor && /mask|pad|valid/i.test(name) && !isVaried(tensor);
  });
  const value = given?.tensor?.data[0];
  if (!given?.tensor || config.mask !== 'none' || (value !== 0 && value !== 1)) return null;
  const { shape } = given.tensor;
  const { extents } = graph;
  const known = ['b', 'h', 'j', 'i'].filter((letter) => letter in extents);
  const [letters] = [
    ...arrangements(
      known,
      extents,
      shape.filter((length) => length > 1),
    ),
  ].filter((some) => some.includes('i') && (some.at(-1) === 'i' || config.axes === 'key-first'));
  if (!letters) return null;
  const scores = config.axes === 'query-first' ? ['j', 'i'] : ['i', 'j'];
  const order = [...(config.head === 'multihead' ? ['b', 'h'] : ['b']), ...scores];
  const sizes = order.map((letter) => (letters.includes(letter) ? extents[letter] : 1));
  const data = given.tensor.data.slice(0, 1);
  const meaning = value === 1 ? 'attend' : given.event.dtype === 'bool' ? 'ignore' : 'add';
  // Of one entry, repeated: which axes it has is all that counts.
  const mask: Mask = {
    meaning,
    tensor: { shape: sizes, data: new Float64Array(sizeOf(sizes)).fill(data[0]) },
  };
  const { hidden, seen } = {
    attend: { hidden: 0, seen: 1 },
    ignore: { hidden: 1, seen: 0 },
    add: { hidden: -Infinity, seen: 0 },
  }[meaning];
  const written = (now: Catalogue): Tensor | null => {
    const next = now.visible && along(now.visible, now.graph.extents, letters);
    if (!next) return null;
    const rest = [...letters];
    return {
      shape: shape.map((length) => (length > 1 ? now.graph.extents[rest.shift()!] : 1)),
      data: Float64Array.from(next, (each) => (each === 1 ? seen : hidden)),
    };
  };
  return { given, mask, written };
}

const isVaried = ({ data }: Tensor): boolean => data.some((each) => each !== data[0]);

const UNCHANGED: ReadonlySet<keyof HeadConfig> = new Set(['past', 'dropout', 'alibi']);

/** Random tensors of the new sizes for all that the setup has. Throws NoTest where it has what cannot be made. */
function resized({ config, graph }: Catalogue, extents: Extents, isGiven: boolean): HeadConfig {
  for (const entry of UNCHANGED)
    if (typeof config[entry] === 'object')
      throw new NoTest(`${entry} cannot be made in other sizes`);
  let seed = 20;
  const node = (id: string, std = 1): Tensor => {
    const { axes } = graph.nodes.find((each) => each.id === id)!;
    return normal(shapeOf(axes, extents), ++seed, std);
  };
  const weights = Object.fromEntries(
    Object.keys(config.weights).map((id) => [id, node(id, WEIGHT_STD)]),
  );
  const starts = Object.keys(config.start ?? {}).map((id) => [id, node(id)]);
  const heads = extents['h'] ?? (extents['r'] ?? 1) * (extents['g'] ?? 1);
  const kvHeads = extents['r'] ?? heads;
  return {
    ...config,
    ...(config.x && { x: node('x') }),
    ...(config.xPrime && { xPrime: node('xPrime') }),
    weights,
    ...(config.start && { start: Object.fromEntries(starts) as object }),
    ...(config.head === 'multihead' && { heads, kvHeads }),
    mask: maskOf(config, extents, heads),
    loss: isGiven ? { kind: 'upstream', G: node('y') } : lossOf(config.loss, node, graph, extents),
  };
}

const WEIGHT_STD = 0.5;

/** Whether nothing changes along an axis: keys that are padding are hidden from every query. */
function isSameAlong({ shape, data }: Tensor, axis: number): boolean {
  const step = strides(shape)[axis];
  return data.every(
    (value, n) => Math.floor(n / step) % shape[axis] === 0 || value === data[n - step],
  );
}

function maskOf({ mask, axes, head }: HeadConfig, extents: Extents, heads: number): Mask {
  if (typeof mask === 'string') return mask;
  const { tensor, meaning } = mask;
  const scores = axes === 'query-first' ? ['j', 'i'] : ['i', 'j'];
  const outer = head === 'multihead' ? [extents['b'] ?? 1, heads] : [extents['b'] ?? 1];
  const full = [...outer, ...scores.map((letter) => extents[letter])];
  const from = full.length - tensor.shape.length;
  // One that hides nothing has its axes for their own sake.
  const shape = tensor.shape.map((length, n) =>
    length === 1 || (isVaried(tensor) && isSameAlong(tensor, n)) ? 1 : full[from + n],
  );
  if (meaning === 'add' && tensor.data.some((value) => value !== 0 && value > -1e3))
    return { meaning, tensor: normal(shape, 19) };
  const random = normal(shape, 19).data;
  const keyAxis = shape.length - (axes === 'query-first' ? 1 : 2);
  const step = strides(shape)[keyAxis];
  const least = tensor.data.reduce((low, value) => Math.min(low, value), 0);
  const lowest = least === 0 ? -Infinity : least;
  const written = { attend: [0, 1], ignore: [1, 0], add: [lowest, 0] }[meaning];
  // The first key is seen by all: no row is empty.
  const data = random.map((value, n) => {
    const isFirst = Math.floor(n / step) % shape[keyAxis] === 0;
    return written[isFirst || value < 0.5 ? 1 : 0];
  });
  return { meaning, tensor: { shape, data } };
}

function lossOf(loss: Loss, node: (id: string) => Tensor, graph: Graph, extents: Extents): Loss {
  switch (loss.kind) {
    case 'upstream':
      return { kind: 'upstream', G: node('y') };
    case 'target':
      return { kind: 'target', T: node('y') };
    case 'half-squared-norm':
      return loss;
    case 'expression': {
      const y = graph.nodes.find(({ id }) => id === 'y')!;
      const constants = Object.entries(loss.constants).map(([key, value]) => {
        if (!sameShape(value.shape, y.shape))
          throw new NoTest(`the loss's ${key} cannot be made in other sizes`);
        return [key, node('y')] as const;
      });
      const [was, is] = [sizeOf(y.shape), sizeOf(shapeOf(y.axes, extents))];
      const expression = loss.expression.replace(/\/ (\d+)$/, (all, count: string) =>
        Number(count) % was === 0 ? `/ ${(Number(count) / was) * is}` : all,
      );
      return { ...loss, expression, constants: Object.fromEntries(constants) };
    }
  }
}

function described({ head }: HeadConfig, extents: Extents): string {
  const named: readonly (readonly [Letter, string])[] = [
    ['b', 'batch entries'],
    ...(head === 'multihead'
      ? ([
          ['h', 'heads'],
          ['r', 'key heads'],
          ['g', 'query heads for each'],
        ] as const)
      : []),
    ['j', 'queries'],
    ['i', 'keys'],
    ['c', 'input features'],
    ['a', 'features of a key'],
    ['v', 'features of a value'],
  ];
  return named
    .filter(([letter]) => extents[letter] !== undefined)
    .map(([letter, name]) => `${extents[letter]} ${name}`)
    .join(', ');
}
