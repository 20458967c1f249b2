// Rotary embeddings with options, and the ways in which people leave one of these out or take another.
import type { AxisLetters } from '../../engine/axes.ts';
import { ConfigError, isPlainRope, type Rope } from '../../engine/config.ts';
import { rotary } from '../../engine/ops/rotary.ts';
import { map, type Tensor } from '../../engine/tensor.ts';
import { DoesNotFit, type StepOperation } from '../program.ts';
import { type Context, pastTokens } from './edit.ts';
import { rotation } from './rotation.ts';
import type { Way } from './ropeWays.ts';

/** The rotation of queries or keys by the setup's own options, some of them changed. */
export function turnBy(
  context: Context,
  id: 'Q' | 'K',
  change: Partial<Rope> = {},
): (axes: readonly AxisLetters[]) => StepOperation {
  const rope: Rope = { ...context.config.rope!, ...change };
  const { positions: keys, queryPositions = keys } = rope;
  const positions = id === 'K' ? keys : queryPositions;
  const first = pastTokens(context);
  const own = { ...rope, positions, firstPosition: first };
  const angle = (token: number, pair: number): number =>
    (first + token) * rope.base ** ((-2 * pair) / context.graph.extents['a']);
  // Over any axes, those of all heads side by side too.
  if (isPlainRope(rope)) return (axes) => rotation(axes, context, rope.pairing, angle);
  return (axes) => {
    try {
      return rotary(axes, context.graph.extents, own);
    } catch (error) {
      // Positions of fewer tokens than there are keys.
      if (error instanceof ConfigError) throw new DoesNotFit(error.message);
      throw error;
    }
  };
}

interface Variant {
  readonly id: string;
  readonly words: string;
  readonly why: string;
  readonly change: Partial<Rope>;
}

/** For a rotation that base and pairing alone do not tell. */
export function optionWays(context: Context, id: 'Q' | 'K'): Way[] {
  const rope = context.config.rope!;
  const other = rope.pairing === 'half' ? 'interleaved' : 'half';
  const variants: Variant[] = [
    {
      id: 'rope-pairing',
      words: `rotated in ${other === 'half' ? 'half-split' : 'interleaved'} pairs`,
      why: `The setup pairs features the other way (${rope.pairing}).`,
      change: { pairing: other },
    },
    ...scalings(rope),
    ...placings(rope),
  ];
  const isPossible = ({ change }: Variant): boolean => {
    const { sections, features } = { ...rope, ...change };
    const width = context.graph.extents['a'];
    return sections === undefined || sumOf(sections) === (features ?? width) / 2;
  };
  return [
    {
      say: {
        id: 'rope-missing',
        words: 'not rotated',
        why: 'The rotary embedding is not applied.',
      },
      turn: null,
    },
    ...variants.filter(isPossible).map(({ change, ...say }) => ({
      say,
      turn: turnBy(context, id, change),
    })),
  ];
}

const sumOf = (lengths: readonly number[]): number => lengths.reduce((a, b) => a + b, 0);

function scalings({ scaling, invFreq, features }: Rope): Variant[] {
  const list: Variant[] = [];
  if (features !== undefined)
    list.push({
      id: 'rope-partial',
      words: 'rotated in all features',
      why: `Only the first ${features} features of a head should turn.`,
      change: { features: undefined },
    });
  if (invFreq)
    list.push({
      id: 'rope-frequencies',
      words: 'rotated by the usual frequencies',
      why: 'The setup gives frequencies of its own.',
      change: { invFreq: undefined },
    });
  if (!scaling) return list;
  list.push({
    id: 'rope-scaling-missing',
    words: 'rotated by the frequencies as they are, unscaled',
    why: `The scaling of the frequencies (${scaling.kind}) is left out.`,
    change: { scaling: undefined },
  });
  if (scaling.kind !== 'linear')
    list.push({
      id: 'rope-scaling-kind',
      words: 'rotated by frequencies that are all divided by the factor',
      why: `The scaling is ${scaling.kind}, here it is linear.`,
      change: { scaling: { kind: 'linear', factor: scaling.factor } },
    });
  if (scaling.kind === 'yarn')
    list.push({
      id: 'rope-magnitude-missing',
      words: 'rotated without the magnitude of YaRN',
      why: 'Cosine and sine are not multiplied by the attention factor.',
      change: { scaling: { ...scaling, magnitude: 1 } },
    });
  return list;
}

function placings({ positions, queryPositions, sections, sectionFrequencies }: Rope): Variant[] {
  const list: Variant[] = [];
  if (positions)
    list.push({
      id: 'rope-positions-missing',
      words: 'rotated by positions that count from the first token on',
      why: 'The setup gives positions of its own (padding, packed sequences, images).',
      change: { positions: undefined, queryPositions: undefined, sections: undefined },
    });
  if (positions && !sections)
    list.push({
      id: 'rope-position',
      words: 'rotated by positions that are one too large',
      why: 'All positions are shifted, as where they count from 1.',
      change: {
        positions: map(positions, (value) => value + 1),
        ...(queryPositions && { queryPositions: map(queryPositions, (value) => value + 1) }),
      },
    });
  if (sections)
    list.push({
      id: 'rope-sections',
      words: `rotated by frequencies that ${sectionFrequencies === 'own' ? 'run on from section to section' : 'begin again in each section'}`,
      why: 'Sections either share one row of frequencies or have their own.',
      change: { sectionFrequencies: sectionFrequencies === 'own' ? 'shared' : 'own' },
    });
  return list;
}

/** The positions of the first batch entry. */
export function cutPositions(rope: Rope, batch: number | undefined): Rope {
  const front = rope.sections ? 1 : 0;
  const first = (tensor: Tensor | undefined): Tensor | undefined => {
    if (!tensor || batch === undefined || tensor.shape.length <= front + 1) return tensor;
    const tokens = tensor.shape[front + 1];
    const count = front ? tensor.shape[0] : 1;
    const data = new Float64Array(count * tokens);
    for (let n = 0; n < count; n++) {
      const start = n * batch * tokens;
      data.set(tensor.data.subarray(start, start + tokens), n * tokens);
    }
    return { shape: [...(front ? [count] : []), tokens], data };
  };
  const [positions, queryPositions] = [rope.positions, rope.queryPositions].map(first);
  return { ...rope, ...(positions && { positions }), ...(queryPositions && { queryPositions }) };
}
