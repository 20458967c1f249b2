// A fused projection whose columns are taken apart in another order: (heads, 3, width) for (3, heads, width).
import { nodeOf } from '../../engine/graph.ts';
import { sameShape, type Tensor, zeros } from '../../engine/tensor.ts';
import { DoesNotFit, type Step, withStep } from '../program.ts';
import type { Edit, Family } from './edit.ts';
import { makeEdit } from './make.ts';

const PARTS = ['Q', 'K', 'V'] as const;

export const fused: Family = (site) => {
  const { node, kind, graph, config, state } = site;
  if (kind !== 'value' || graph.head !== 'multihead' || node.id !== 'Kh') return [];
  if (!graph.selfAttention || config.heads < 2 || config.start) return [];
  const shapes = PARTS.map((id) => nodeOf(graph, id).shape);
  if (shapes.some((shape) => !sameShape(shape, shapes[0]))) return [];
  const steps = PARTS.map((id) => state.program.forward.get(`${id}h`)!);
  if (steps.some(({ inputs }, n) => inputs.length !== 1 || inputs[0] !== PARTS[n])) return [];
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
  const taken = (part: number, own: Step, source: typeof interleaved): Step => {
    if (own.inputs.length !== 1) throw new DoesNotFit('taken apart already');
    const mix = (inputs: readonly Tensor[]): Tensor => {
      const out = zeros(inputs[0].shape);
      for (let at = 0; at < out.data.length; at++) {
        const [from, column] = source(part, at % columns);
        out.data[at] = inputs[from].data[at - (at % columns) + column];
      }
      return out;
    };
    return {
      inputs: PARTS,
      operation: {
        name: own.operation.name,
        forward: (inputs) => own.operation.forward([mix(inputs)]),
        vjp({ inputs, output }, upstream) {
          const [back] = own.operation.vjp({ inputs: [mix(inputs)], output }, upstream);
          const parts = inputs.map(({ shape }) => zeros(shape));
          for (let at = 0; at < back.data.length; at++) {
            const [from, column] = source(part, at % columns);
            parts[from].data[at - (at % columns) + column] += back.data[at];
          }
          return parts;
        },
      },
    };
  };
  const edit = (wrong: string, right: string, source: typeof interleaved): Edit =>
    makeEdit(
      site,
      'Kh',
      'value',
      {
        id: 'fused-projection-order',
        title: `the fused projection is taken apart as ${wrong}, but its columns are ${right}`,
        why: 'Queries, keys and values of different heads change places: Qh, Kh and Vh come out exactly so.',
        wrong: `qkv taken apart as ${wrong}`,
        right: `qkv taken apart as ${right}`,
        numpy: `Q, K, V = np.split(x @ W_qkv, 3, axis=-1)  # columns in the order ${right}`,
        pytorch: `q, k, v = (x @ W_qkv).chunk(3, dim=-1)  # columns in the order ${right}`,
        cost: 1.2,
      },
      (program) =>
        PARTS.reduce(
          (changed, id, part) =>
            withStep(changed, `${id}h`, taken(part, changed.forward.get(`${id}h`)!, source)),
          program,
        ),
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
