// From the text of a setup file to its computation graph, or to problems at their places in the text.
import { ConfigError, type HeadConfig } from '../engine/config.ts';
import type { Graph } from '../engine/graph.ts';
import { buildGraph } from '../engine/heads/build.ts';
import { loadSetup, type ReadFile } from './loadSetup.ts';
import { locate, parseSetup } from './parseSetup.ts';
import { visible } from './shown.ts';
import type { PathProblem, Problem, Setup } from './setupTypes.ts';

export interface OpenedSetup {
  readonly setup: Setup | null;
  /** null if any problem is an error. */
  readonly graph: Graph | null;
  /** What the graph was built from; null where there is none. */
  readonly config: HeadConfig | null;
  readonly problems: readonly Problem[];
}

/** A setup that can be computed. */
export type ComputableSetup = {
  readonly [Key in 'setup' | 'graph' | 'config']: NonNullable<OpenedSetup[Key]>;
};

/**
 * Parses, reads tensors and builds the graph. Never rejects: whatever is wrong is a problem. `mostEntries`: of a node of
 * a head that is computed in tiles.
 */
export async function openSetup(
  text: string,
  readFile: ReadFile,
  mostEntries?: number,
): Promise<OpenedSetup> {
  const { setup, problems } = parseSetup(text);
  if (!setup) return { setup, graph: null, config: null, problems };
  const loaded = await loadSetup(setup, readFile);
  const place = (problem: PathProblem): Problem => ({ ...problem, ...locate(text, problem.path) });
  const all = [...problems, ...loaded.problems.map(place)];
  if (!loaded.config) return { setup, graph: null, config: null, problems: all };
  try {
    const { config } = loaded;
    return { setup, graph: buildGraph(config, mostEntries), config, problems: all };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const problem = place({
      message: visible(error.message),
      path: error.entry,
      severity: 'error',
    });
    return { setup, graph: null, config: null, problems: [...all, problem] };
  }
}
