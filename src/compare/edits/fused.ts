// A fused projection whose columns are taken apart in another order: (heads, 3, width) for (3, heads, width).
import { nodeOf } from '../../engine/graph.ts';
import { sameShape, type Tensor, zeros } from '../../engine/tensor.ts';
import { DoesNotFit, type Program, type Step, withStep } from '../program/program.ts';
import type { Edit, Family } from './edit.ts';
import { makeEdit } from './make.ts';

const PARTS = ['Q', 'K', 'V'] as const;

/** The projection of one part. */
function stepOf({ forward }: Program, id: string): Step {
  const step = forward.get(id);
  if (!step || step.inputs.length > 3) throw new DoesNotFit('taken apart already');
  return step;
}

export const fused: Family = (site) => {
  const { node, kind, graph, config, state } = site;
  if (kind !== 'value' || graph.head !== 'multihead' || node.id !== 'K') return [];
  if (!graph.selfAttention || config.heads < 2 || config.start) return [];
  const shapes = PARTS.map((id) => nodeOf(graph, id).shape);
  if (shapes.some((shape) => !sameShape(shape, shapes[0]))) return [];
  if (PARTS.some((id) => !state.program.forward.has(id))) return [];
  const columns = shapes[0][shapes[0].length - 1];
  const { heads } = config;
  const width = columns / heads;
  /** Of each part's column, the part and the column that stand there. */
  const interleaved = (part: number, column: number): [number, number] => {
    const at = (Math.floor(column / width) * 3 + part) * width + (column % width);
    return [Math.floor(at / columns), at % columns];
  };
  const contiguous = (part: number, column: number): [number, number] => {
    const block = part * heads + Math.floor(column / width);
    return [block % 3, Math.floor(block / 3) * width + (column % width)];
  };
  const taken = (part: number, three: readonly Step[], source: typeof interleaved): Step => {
    const from = (which: number): number =>
      three.slice(0, which).reduce((sum, { inputs }) => sum + inputs.length, 0);
    const of = (inputs: readonly Tensor[], which: number): readonly Tensor[] =>
      inputs.slice(from(which), from(which) + three[which].inputs.length);
    const mix = (parts: readonly Tensor[]): Tensor => {
      const out = zeros(parts[0].shape);
      for (let at = 0; at < out.data.length; at++) {
        const [which, column] = source(part, at % columns);
        out.data[at] = parts[which].data[at - (at % columns) + column];
      }
      return out;
    };
    const project = (inputs: readonly Tensor[]): Tensor[] =>
      three.map(({ operation }, which) => operation.forward(of(inputs, which)));
    return {
      inputs: three.flatMap(({ inputs }) => inputs),
      operation: {
        name: three[part].operation.name,
        forward: (inputs) => mix(project(inputs)),
        vjp({ inputs }, upstream) {
          const parts = project(inputs);
          const back = parts.map(({ shape }) => zeros(shape));
          for (let at = 0; at < upstream.data.length; at++) {
            const [which, column] = source(part, at % columns);
            back[which].data[at - (at % columns) + column] += upstream.data[at];
          }
          return three.flatMap(({ operation }, which) =>
            operation.vjp({ inputs: of(inputs, which), output: parts[which] }, back[which]),
          );
        },
      },
    };
  };
  const edit = (wrong: string, right: string, source: typeof interleaved): Edit =>
    makeEdit(
      site,
      'K',
      'value',
      {
        id: 'fused-projection-order',
        title: `the fused projection is taken apart as ${wrong}, but its columns are ${right}`,
        why: 'Queries, keys and values of different heads change places: Q, K and V come out exactly so.',
        wrong: `qkv taken apart as ${wrong}`,
        right: `qkv taken apart as ${right}`,
        numpy: `Q, K, V = np.split(x @ W_qkv, 3, axis=-1)  # columns in the order ${right}`,
        pytorch: `q, k, v = (x @ W_qkv).chunk(3, dim=-1)  # columns in the order ${right}`,
        cost: 1.2,
      },
      (program) => {
        const three = PARTS.map((each) => stepOf(program, each));
        return PARTS.reduce(
          (changed, id, part) => withStep(changed, id, taken(part, three, source)),
          program,
        );
      },
    );
  /** Keys where queries are read, and so on. */
  const turned =
    (by: number): typeof interleaved =>
    (part, column) => [(part + by) % 3, column];
  return [
    edit('k, v, q', 'q, k, v', turned(1)),
    edit('v, q, k', 'q, k, v', turned(2)),
    edit('(heads, 3, width)', '(3, heads, width)', interleaved),
    edit('(3, heads, width)', '(heads, 3, width)', contiguous),
  ];
};
