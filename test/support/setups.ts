// Graphs and runs from setups: the shipped examples, drawn ones and those written in a test.
import { readdirSync, readFileSync } from 'node:fs';
import type { Graph } from '../../src/engine/graph.ts';
import { type Run, run } from '../../src/engine/run.ts';
import { openSetup } from '../../src/formats/openSetup.ts';
import { drawSetup, generator } from '../conformance/draw.mjs';

const EXAMPLES = new URL('../../examples/', import.meta.url);

/** "exercise", "rope", ... */
export const exampleNames: readonly string[] = readdirSync(EXAMPLES)
  .filter((name) => name.endsWith('.attention.json'))
  .map((name) => name.replace('.attention.json', ''))
  .sort();

/** A 768-wide module takes seconds where every entry is looked at. */
export const smallExampleNames = exampleNames.filter((name) => name !== 'gpt2-heads');

export function exampleText(name: string): string {
  return readFileSync(new URL(`${name}.attention.json`, EXAMPLES), 'utf8');
}

/** Throws with the first problem where the setup cannot be computed. Tensors are inline or random. */
export async function graphOf(setup: object | string): Promise<Graph> {
  const text = typeof setup === 'string' ? setup : JSON.stringify(setup);
  const { graph, problems } = await openSetup(text, () =>
    Promise.reject(new Error('no files here')),
  );
  if (!graph) throw new Error(problems.find(({ severity }) => severity === 'error')?.message);
  return graph;
}

export async function runOf(setup: object | string): Promise<Run> {
  return run(await graphOf(setup));
}

export const exampleRun = (name: string): Promise<Run> => runOf(exampleText(name));

/** The setup that the conformance programs draw from a seed: any head with any of its options. */
export const drawnSetup = (seed: number): object => drawSetup(generator(seed)).setup;
