// What stands around the attention in a layer: norms before and after it, the residual connection.
import { axisLength, type AxisLetters, type Extents } from '../axes.ts';
import { ConfigError, type HeadConfig, type Norm } from '../config.ts';
import type { GraphBuilder, NodeId } from '../graph.ts';
import { addition } from '../ops/addition.ts';
import type { Operation } from '../operation.ts';
import { addNorm } from './norms.ts';

/** The input that the residual connection goes past the attention: the queries' side. */
const stream = ({ xPrime }: HeadConfig): NodeId => (xPrime ? 'xPrime' : 'x');

/** Adds xn, of which everything on the queries' side is made, where there is a norm before the attention. */
export function addPreNorm(graph: GraphBuilder, config: HeadConfig, extents: Extents): void {
  const norm = config.block?.preNorm;
  if (!norm) return;
  const of = stream(config);
  if (!graph.has(of)) throw new ConfigError('block.preNorm', `found without ${of}, which it is of`);
  const axes = graph.axesOf(of);
  addNorm(graph, norm, { id: 'xn', of, axes, over: [...axes.at(-1)!], parameters: 'pre' }, extents);
}

/** Whether the attention's own output is the block's: then it is y, else ya. */
export const isBare = ({ block }: HeadConfig): boolean =>
  !block?.residual && !block?.outputNorm && !block?.postNorm;

interface Step {
  readonly id: NodeId;
  readonly add: (id: NodeId, from: NodeId) => void;
}

/** Adds what follows the attention's output ya, up to y. */
export function addAround(
  graph: GraphBuilder,
  config: HeadConfig,
  axes: readonly AxisLetters[],
  extents: Extents,
): void {
  const { block = {} } = config;
  const steps: Step[] = [];
  const normStep = (id: NodeId, norm: Norm, parameters: string): void => {
    const over = [...axes.at(-1)!];
    steps.push({
      id,
      add: (own, of) => addNorm(graph, norm, { id: own, of, axes, over, parameters }, extents),
    });
  };
  if (block.outputNorm) normStep('yn', block.outputNorm, 'out');
  if (block.residual) {
    const from = stream(config);
    const operation = residual(graph, from, axes, extents);
    steps.push({ id: 'yr', add: (own, of) => graph.node(own, axes, operation, [of, from]) });
  }
  if (block.postNorm) normStep('y', block.postNorm, 'post');
  let last: NodeId = 'ya';
  for (const [n, { id, add }] of steps.entries()) {
    const own = n === steps.length - 1 ? 'y' : id;
    add(own, last);
    last = own;
  }
}

function residual(
  graph: GraphBuilder,
  from: NodeId,
  axes: readonly AxisLetters[],
  extents: Extents,
): Operation {
  if (!graph.has(from))
    throw new ConfigError('block.residual', `found without ${from}, which it adds`);
  const [own, to] = [graph.axesOf(from).at(-1)!, axes.at(-1)!].map((axis) =>
    axisLength(axis, extents),
  );
  if (own !== to)
    throw new ConfigError(
      'block.residual',
      `found ${own} features of ${from} and ${to} of the attention's output, expected as many`,
    );
  return addition(axes, 'The input, which goes past the attention, and what the attention gives.');
}
