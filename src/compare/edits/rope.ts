// Rotary embedding: the other pairing, sign, base or positions; rotated values; not rotated; not turned back.
import { type AxisLetters, shapeOf } from '../../engine/axes.ts';
import { hasNode, nodeOf } from '../../engine/graph.ts';
import { prepend, rearrange } from '../../engine/ops/layout.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { after } from '../operations.ts';
import { type Program, type StepOperation, withStep } from '../program.ts';
import type { Context, Edit, Family } from './edit.ts';
import { contributionEdit, makeEdit, passedBack, type Say } from './make.ts';

type Pairing = 'half' | 'interleaved';
type Angle = (token: number, pair: number, head: number) => number;

/** The rotation of pairs of features by an angle. */
function rotation(
  axes: readonly AxisLetters[],
  { graph }: Context,
  pairing: Pairing,
  angle: Angle,
  sign: 1 | -1 = 1,
): StepOperation {
  const shape = shapeOf(axes, graph.extents);
  const [tokens, width] = shape.slice(-2);
  const half = width / 2;
  const heads = shape[shape.length - 3];
  const turn = ({ data }: Tensor, way: 1 | -1): Tensor => {
    const out = new Float64Array(data.length);
    for (let row = 0; row < data.length; row += width) {
      const token = (row / width) % tokens;
      const head = Math.floor(row / width / tokens) % heads;
      for (let pair = 0; pair < half; pair++) {
        const [a, b] = pairing === 'half' ? [pair, pair + half] : [2 * pair, 2 * pair + 1];
        const theta = angle(token, pair, head);
        const [cos, sin] = [Math.cos(theta), way * sign * Math.sin(theta)];
        out[row + a] = data[row + a] * cos - data[row + b] * sin;
        out[row + b] = data[row + b] * cos + data[row + a] * sin;
      }
    }
    return { shape, data: out };
  };
  return {
    name: 'rotary embedding',
    forward: ([input]) => turn(input, 1),
    vjp: (_, upstream) => [turn(upstream, -1)],
  };
}

const write = (axes: readonly AxisLetters[]): string =>
  axes.map((axis) => (axis.length === 1 ? axis[0] : `(${axis.join(' ')})`)).join(' ');

/** Split into heads, `turn`, then earlier tokens in front. */
function headStep(
  context: Context,
  id: 'Q' | 'K' | 'V',
  turn: ((axes: readonly AxisLetters[]) => StepOperation) | null,
): StepOperation {
  const { graph, config } = context;
  const merged = nodeOf(graph, id).axes;
  const whole = nodeOf(graph, `${id}h`).axes;
  const past = id === 'Q' ? undefined : config.past?.[id];
  const axes = whole.map((axis) => axis.map((letter) => (past && letter === 'i' ? 't' : letter)));
  const split = rearrange(`${write(merged)} -> ${write(axes)}`, graph.extents, '');
  const turned = turn ? after(split, turn(axes)) : split;
  return past ? after(turned, prepend(whole, axes, past)) : turned;
}

interface Way {
  readonly say: Omit<Say, 'title' | 'wrong'> & { readonly words: string };
  readonly turn: ((axes: readonly AxisLetters[]) => StepOperation) | null;
}

function ways(context: Context): Way[] {
  const { config, graph } = context;
  if (!config.rope) return [];
  const { base, pairing } = config.rope;
  const { extents } = graph;
  const width = extents['a'];
  const half = width / 2;
  const first = config.past ? extents['i'] - extents['t'] : 0;
  const other: Pairing = pairing === 'half' ? 'interleaved' : 'half';
  const theta = (pair: number, own = base, size = width): number => own ** ((-2 * pair) / size);
  const right: Angle = (token, pair) => (first + token) * theta(pair);
  const make = (
    id: string,
    words: string,
    why: string,
    angle: Angle,
    own = pairing,
    sign: 1 | -1 = 1,
    cost = 1,
  ): Way => ({
    say: { id, words, why, cost },
    turn: (axes) => rotation(axes, context, own, angle, sign),
  });
  const list: Way[] = [
    {
      say: {
        id: 'rope-missing',
        words: 'not rotated',
        why: 'The rotary embedding is not applied.',
      },
      turn: null,
    },
    make(
      'rope-pairing',
      `rotated in ${other === 'half' ? 'half-split' : 'interleaved'} pairs instead of ${pairing === 'half' ? 'half-split' : 'interleaved'} ones`,
      `The setup pairs feature k with ${pairing === 'half' ? 'k + width/2' : 'its neighbour'}; here it is the other convention.`,
      right,
      other,
    ),
    make(
      'rope-sign',
      'rotated in the other direction',
      'The sign of the sine is wrong.',
      right,
      pairing,
      -1,
    ),
    make(
      'rope-pairing-and-sign',
      'rotated in the other pairing and direction',
      'Both the pairing and the sign of the sine differ.',
      right,
      other,
      -1,
      1.6,
    ),
    make(
      'rope-position',
      'rotated by positions that start one too late',
      'Positions start at 1 instead of 0.',
      (t, k) => (first + t + 1) * theta(k),
    ),
    make(
      'rope-position',
      'rotated by positions that start one too early',
      'Positions are shifted by −1.',
      (t, k) => (first + t - 1) * theta(k),
    ),
    make(
      'rope-swapped-sine-cosine',
      'rotated with sine and cosine exchanged',
      'cos and sin change places.',
      (t, k) => Math.PI / 2 - (first + t) * theta(k),
    ),
    make(
      'rope-exponent',
      'rotated by base^(−k/width) instead of base^(−2k/width)',
      'The exponent lacks its factor 2.',
      (t, k) => (first + t) * base ** (-k / width),
    ),
    make(
      'rope-exponent',
      'rotated by base^(−2k/(width/2))',
      'The exponent is divided by half the width.',
      (t, k) => (first + t) * base ** ((-2 * k) / half),
    ),
    make(
      'rope-frequencies-reversed',
      'rotated by the frequencies in reverse order',
      'The slow and the fast pairs are exchanged.',
      (t, k) => (first + t) * theta(half - 1 - k),
    ),
    make(
      'rope-inverse-frequency',
      'rotated by base^(+2k/width)',
      'The frequencies are inverted.',
      (t, k) => (first + t) * base ** ((2 * k) / width),
    ),
    make(
      'rope-partial',
      'rotated in the first half of the features only',
      'Only part of the features turn.',
      (t, k) => (k < half / 2 ? (first + t) * theta(k) : 0),
      pairing,
      1,
      1.3,
    ),
    make(
      'rope-twice',
      'rotated twice',
      'The rotary embedding is applied twice.',
      (t, k) => 2 * (first + t) * theta(k),
    ),
    make(
      'rope-by-head',
      'rotated by the number of the head instead of the position',
      'The rotation runs along the wrong axis: heads and tokens are exchanged.',
      (_, k, head) => head * theta(k),
    ),
    make(
      'rope-base',
      `rotated with the frequencies of all heads together (width ${width * config.heads})`,
      'The exponent is divided by the model width.',
      (t, k) => (first + t) * theta(k, base, width * config.heads),
      pairing,
      1,
      1.2,
    ),
  ];
  if (first > 0)
    list.push(
      make(
        'rope-position',
        'rotated as if there were no earlier tokens',
        'Positions start at 0 though earlier tokens come first.',
        (t, k) => t * theta(k),
      ),
    );
  for (const own of [10000, 1000, 100, 10, 500000, 1000000]) {
    if (own !== base)
      list.push(
        make(
          'rope-base',
          `rotated with base ${own} instead of ${base}`,
          'The base of the frequencies differs.',
          (t, k) => (first + t) * theta(k, own),
        ),
      );
  }
  return list;
}

export const rope: Family = (site) => {
  const { node, kind, graph, config } = site;
  if (!config.rope || !hasNode(graph, 'Qh')) return [];
  if (kind === 'gradient') return backward(site);
  const letter = /^([QKV])h$/.exec(node.id)?.[1] as 'Q' | 'K' | 'V' | undefined;
  if (!letter) return [];
  if (letter === 'V') return onValues(site);
  const edit = (ids: readonly ('Q' | 'K')[], { say, turn }: Way, cost: number): Edit => {
    const names = ids.join(' and ');
    const full = {
      ...say,
      title: `${names} ${ids.length > 1 ? 'are' : 'is'} ${say.words}`,
      wrong: `${node.id}: ${say.words}`,
      cost: (say.cost ?? 1) + cost,
    };
    return makeEdit(site, node.id, 'value', full, (program: Program) =>
      ids.reduce(
        (own, id) => withStep(own, `${id}h`, { operation: headStep(site, id, turn), inputs: [id] }),
        program,
      ),
    );
  };
  return ways(site).flatMap((way) => [edit(['Q', 'K'], way, 0.01), edit([letter], way, 0)]);
};

function onValues(site: Parameters<Family>[0]): Edit[] {
  const { config, graph } = site;
  if (!config.rope || graph.extents['v'] % 2 !== 0) return [];
  const { base, pairing } = config.rope;
  const first = config.past ? graph.extents['i'] - graph.extents['t'] : 0;
  const width = graph.extents['v'];
  const turn = (axes: readonly AxisLetters[]): StepOperation =>
    rotation(axes, site, pairing, (token, pair) => (first + token) * base ** ((-2 * pair) / width));
  const say = {
    id: 'rope-on-values',
    title: 'the values are rotated too',
    why: 'Only queries and keys carry a position.',
    wrong: 'Vh = rotate(V)',
  };
  return [
    makeEdit(site, 'Vh', 'value', say, (program) =>
      withStep(program, 'Vh', { operation: headStep(site, 'V', turn), inputs: ['V'] }),
    ),
  ];
}

/** dKh = dS^T Qh with queries (or keys) as they were before the rotation. */
function unrotated(site: Parameters<Family>[0]): Edit[] {
  const { node, state } = site;
  if (!/^[QK]h$/.test(node.id)) return [];
  const slot = node.id === 'Kh' ? 0 : 1;
  const other = node.id === 'Kh' ? 'Q' : 'K';
  const split = headStep(site, other, null);
  const say = {
    ...{
      id: 'backward-rope-operand',
      title: `d${node.id} is computed with ${other} before its rotation`,
    },
    ...{
      why: `The scores are products of rotated queries and keys, so d${node.id} needs the rotated ${other}h.`,
      wrong: `d${node.id} with split(${other}) for ${other}h`,
    },
  };
  const inputs = state.program.backward.get('S')!.inputs;
  return [
    contributionEdit(site, 'S', slot, say, (_, own) =>
      passedBack(own, 'S', slot, {
        inputs: inputs.map((id) =>
          id === `${other}h` ? split.forward([own.value(other)]) : own.value(id),
        ),
      }),
    ),
  ];
}

/** dQ from dQh: the rotation must be turned back. */
function backward(site: Parameters<Family>[0]): Edit[] {
  const { id } = site.node;
  if (id !== 'Q' && id !== 'K') return unrotated(site);
  const own = site.state.program.forward.get(`${id}h`)!;
  const passed = (operation: StepOperation, say: Say): Edit =>
    contributionEdit(site, `${id}h`, 0, say, (_, state) => {
      const inputs = own.inputs.map((input) => state.value(input));
      return operation.vjp({ inputs, output: state.value(`${id}h`) }, state.gradient(`${id}h`))[0];
    });
  const { base, pairing } = site.config.rope!;
  const first = site.config.past ? site.graph.extents['i'] - site.graph.extents['t'] : 0;
  const forwards = (axes: readonly AxisLetters[]): StepOperation =>
    rotation(
      axes,
      site,
      pairing,
      (t, k) => (first + t) * base ** ((-2 * k) / site.graph.extents['a']),
      -1,
    );
  return [
    passed(headStep(site, id, null), {
      id: 'backward-rope-missing',
      title: `d${id} is not rotated back`,
      why: 'The derivative of the rotary embedding is left out.',
      wrong: `d${id} = merge(d${id}h)`,
    }),
    passed(headStep(site, id, forwards), {
      id: 'backward-rope-sign',
      title: `d${id} is rotated forward again instead of back`,
      why: 'The transpose of a rotation is the rotation back: the sine changes its sign.',
      wrong: `d${id} = merge(rotate(d${id}h, +θ))`,
    }),
    ...ways(site)
      .filter(({ turn }) => turn)
      .map(({ say, turn }) =>
        passed(headStep(site, id, turn), {
          ...say,
          id: `backward-${say.id}`,
          title: `backward: d${id} is ${say.words}`,
          wrong: `d${id}: ${say.words}, backward`,
          cost: (say.cost ?? 1) + 0.2,
        }),
      ),
  ];
}
