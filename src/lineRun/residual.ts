// A setup may be of the attention alone, and the program's own statement adds the input to what it gives.
import { keyOf } from '../compare/program/program.ts';
import { ConfigError, type HeadConfig } from '../engine/config.ts';
import type { Graph } from '../engine/graph.ts';
import { buildGraph } from '../engine/heads/build.ts';
import { judge, type Judged } from '../lines/judge.ts';
import type { Recording } from '../lines/recorded/recording.ts';

interface Reference {
  readonly config: HeadConfig;
  readonly graph: Graph;
}

/** The input's gradient is another one with the residual connection than without. */
const STREAM = /^g:(x|xPrime)$/;

function residualGraph(config: HeadConfig): Graph | null {
  try {
    return buildGraph(config);
  } catch (error) {
    // Where the input and the output have other widths there is no residual connection.
    if (error instanceof ConfigError) return null;
    throw error;
  }
}

/** Whether a program may add its input to what a setup of the attention alone gives. */
export const takesResidual = ({ block, ...config }: HeadConfig): boolean =>
  block === undefined && residualGraph({ ...config, block: { residual: true } }) !== null;

/**
 * The same setup with `block.residual`, where the output is wrong without it, right with it, and nothing else that was
 * right is wrong then; else null.
 */
export function withResidual(
  recording: Recording,
  given: Reference,
  { localised }: Judged,
): (Reference & { readonly judged: Judged }) | null {
  const { covered } = localised;
  if (given.config.block || covered.has('v:y')) return null;
  const [first] = localised.wrong;
  if (first?.node !== 'y' || first.kind !== 'value') return null;
  const config = { ...given.config, block: { residual: true } };
  const graph = residualGraph(config);
  if (!graph) return null;
  const judged = judge(recording, config, graph);
  const right = judged.localised.covered;
  // What is given may be too small beside the larger outputs to be recognised.
  const inputs = graph.nodes.filter(({ kind }) => kind === 'input');
  const isGiven = new Set(inputs.map(({ id }) => keyOf(id, 'value')));
  const isKept = [...covered].every(
    (key) => right.has(key) || isGiven.has(key) || STREAM.test(key),
  );
  return right.has('v:y') && isKept ? { config, graph, judged } : null;
}
