// run SETUP: every node with its norms, the order of the steps, and the tensors in a file.
import { freemem } from 'node:os';
import { tooLarge } from '../engine/cost.ts';
import { ConfigError, MAX_NODE_ENTRIES } from '../engine/config.ts';
import type { Graph, NodeId } from '../engine/graph.ts';
import { type Passing, passings, run } from '../engine/run.ts';
import { bytesStreamed, type ScoreNode, Streamed } from '../engine/streamed.ts';
import { formatShape, norm, scalar, sizeOf, type Tensor } from '../engine/tensor.ts';
import type { ComputableSetup } from '../formats/openSetup.ts';
import { writeSafetensors } from '../formats/safetensors.ts';
import { buildTimeline, captionOf, type Timeline } from '../stepper/timeline.ts';
import { runHelped } from '../threads/helped.ts';
import { say, warn } from './output.ts';
import { InputError, openSetupFile, printJson, printTable } from './support.ts';
import { writeFileSafely } from './writeFile.ts';

/** What is said of a run, whether all of it is in memory or not. */
export interface Summary {
  readonly graph: Graph;
  readonly f: number;
  readonly nodes: readonly {
    readonly node: NodeId;
    readonly shape: readonly number[];
    readonly norm: number;
    readonly gradientNorm: number;
  }[];
  readonly timeline: Timeline<Passing>;
  readonly notices: readonly { readonly message: string }[];
  /** `N` and `dN` of all nodes that are kept. */
  readonly tensors: readonly (readonly [name: string, tensor: Tensor])[];
  /** Nodes of which neither the value nor the gradient is kept as a whole. */
  readonly inTiles: readonly NodeId[];
}

function summaryOf(graph: Graph): Summary {
  const result = runHelped(graph) ?? run(graph);
  const { values, gradients, notices } = result;
  return {
    graph: result.graph,
    f: values.get('f')!.data[0],
    nodes: result.graph.nodes.map(({ id, shape }) => ({
      ...{ node: id, shape },
      norm: norm(values.get(id)!),
      gradientNorm: norm(gradients.get(id)!),
    })),
    timeline: buildTimeline(result),
    notices,
    tensors: result.graph.nodes.flatMap(({ id }) => [
      [id, values.get(id)!] as const,
      [`d${id}`, gradients.get(id)!] as const,
    ]),
    inTiles: [],
  };
}

const isScore = (id: NodeId): id is ScoreNode => /^[SZMP]$/.test(id);

/** The same of one head beyond memory. Throws ConfigError for what has none of its tiles. */
export function summaryInTiles(
  { graph, config }: Pick<ComputableSetup, 'graph' | 'config'>,
  tell?: (done: number, of: number) => void,
): Summary {
  const streamed = new Streamed(config, tell ? { tell } : {});
  const inputs = new Map(
    graph.nodes.flatMap((node) => (node.kind === 'input' ? [[node.id, node.value]] : [])),
  );
  const valueOf = (id: NodeId): Tensor => streamed.values.get(id) ?? inputs.get(id)!;
  const gradientOf = (id: NodeId): Tensor => (id === 'f' ? scalar(1) : streamed.gradient(id));
  const kept = graph.nodes.map(({ id }) => id).filter((id) => !isScore(id));
  return {
    graph,
    f: streamed.value('f').data[0],
    nodes: graph.nodes.map(({ id, shape }) => ({
      ...{ node: id, shape },
      norm: isScore(id) ? streamed.norm(id, 'value') : norm(valueOf(id)),
      gradientNorm: isScore(id) ? streamed.norm(id, 'gradient') : norm(gradientOf(id)),
    })),
    timeline: buildTimeline({ graph, contributions: passings(graph) }),
    notices: [],
    tensors: kept.flatMap((id) => [
      [id, valueOf(id)] as const,
      [`d${id}`, gradientOf(id)] as const,
    ]),
    inTiles: graph.nodes.map(({ id }) => id).filter(isScore),
  };
}

/** Most scores that are computed in tiles: minutes. */
const MOST_SCORES = 2 ** 34;

/** In tiles where the whole does not fit. Throws InputError where neither does. */
async function computed(file: string): Promise<Summary> {
  const opened = await openSetupFile(file, 'beyond memory');
  const { graph, config } = opened;
  const isWhole = graph.nodes.every(({ shape }) => sizeOf(shape) <= MAX_NODE_ENTRIES);
  if (isWhole && !tooLarge(graph, freemem())) return summaryOf(graph);
  const { kept, whole } = bytesStreamed(config);
  // Opened as any other setup it says where it is too large.
  const refuse = async (): Promise<Summary> => summaryOf((await openSetupFile(file)).graph);
  if (kept > freemem() / 2 || whole > 8 * MOST_SCORES) return refuse();
  let told = 0;
  const tell = (done: number, of: number): void => {
    const tenths = Math.floor((10 * done) / of);
    if (tenths > told && done < of) warn(`${file}: ${done} of ${of} queries`);
    told = tenths;
  };
  try {
    return summaryInTiles(opened, tell);
  } catch (error) {
    if (error instanceof ConfigError) return refuse();
    throw error;
  }
}

async function write(out: string, { graph, tensors, inTiles }: Summary): Promise<void> {
  const bytes = writeSafetensors(tensors, { head: graph.head });
  await writeFileSafely(out, bytes).catch((error: Error) => {
    throw new InputError(`${out}: cannot be written: ${error.message}`);
  });
  if (inTiles.length > 0)
    warn(`${out}: ${inTiles.join(', ')} and their gradients do not fit and are not in it`);
}

export async function runCommand(
  file: string,
  out: string | undefined,
  json: boolean,
): Promise<number> {
  const summary = await computed(file);
  if (out !== undefined) await write(out, summary);
  const { graph, f, nodes, timeline, notices } = summary;
  if (json) {
    const forward = graph.nodes.filter(({ kind }) => kind === 'operation');
    const steps = [
      ...forward.map(({ id }) => ({ phase: 'forward', node: id })),
      ...timeline.steps
        .flatMap(({ contributions }) => contributions)
        .map(({ from, to, path }) => ({ phase: 'backward', from, to, path })),
    ];
    printJson({ head: graph.head, f, nodes, steps, notices });
    return 0;
  }
  const rows = nodes.map(({ node, shape, ...norms }) => [
    node,
    formatShape(shape),
    norms.norm.toPrecision(6),
    norms.gradientNorm.toPrecision(6),
  ]);
  printTable([['node', 'shape', 'norm', 'norm of gradient'], ...rows]);
  for (const text of ['', `f = ${f}`, '']) say(text);
  timeline.ticks.forEach((tick, n) =>
    say(`${String(n).padStart(3)}  ${captionOf(timeline, tick)}`),
  );
  for (const { message } of notices) for (const text of ['', `Note: ${message}`]) say(text);
  return 0;
}
