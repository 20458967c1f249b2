// Why a statement is wrong, in words: the mistakes that everybody makes once, in programs of several hands.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test, vi } from 'vitest';
import type { HeadConfig } from '../../src/engine/config.ts';
import { buildGraph } from '../../src/engine/heads/build.ts';
import { infer } from '../../src/lines/infer/infer.ts';
import { judge } from '../../src/lines/judge.ts';
import { explain } from '../../src/lines/tell/name.ts';
import { hasNumpy, hasTorch, recorded } from '../support/recorded.ts';
import { programs } from './commonMistakes.ts';

vi.setConfig({ testTimeout: 120_000 });

const sourceOf = (name: string): string =>
  readFileSync(fileURLToPath(new URL(`causes/${name}.py`, import.meta.url)), 'utf8');

const setups = new Map<string, HeadConfig>();

/** Of the right program. */
function setupOf(name: string): HeadConfig {
  const found = setups.get(name) ?? infer(recorded(sourceOf(name)).recording)?.config;
  if (!found) throw new Error(`${name}: found no attention`);
  setups.set(name, found);
  return found;
}

/** What is told of it: ids of causes, and the node at which they are. */
function told(source: string, config: HeadConfig): { causes: string[]; node?: string } {
  const { recording } = recorded(source);
  const { catalogue, localised } = judge(recording, config, buildGraph(config));
  const { causes, wrong } = explain(recording, catalogue, localised);
  const [first] = wrong;
  return {
    causes: causes.map(({ id }) => id),
    ...(first && { node: `${first.kind === 'gradient' ? 'd' : ''}${first.node}` }),
  };
}

describe.each(programs)('$name', ({ name, needs, mistakes }) => {
  const right = sourceOf(name);
  const isLeftOut = needs === 'torch' ? !hasTorch : !hasNumpy;

  test.skipIf(isLeftOut).each(mistakes)('$from → $to', ({ from, to, cause, node }) => {
    expect(right.split(from), from).toHaveLength(2);
    expect(told(right.replace(from, to), setupOf(name))).toEqual({ causes: [cause], node });
  });
});

test.skipIf(!hasNumpy)('a cause does not depend on how fast the machine is', () => {
  const { name, mistakes } = programs.find(({ needs }) => needs !== 'torch')!;
  let now = 0;
  const clock = vi.spyOn(Date, 'now').mockImplementation(() => (now += 10_000));
  try {
    for (const { from, to, cause, node } of mistakes)
      expect(told(sourceOf(name).replace(from, to), setupOf(name))).toEqual({
        causes: [cause],
        node,
      });
  } finally {
    clock.mockRestore();
  }
});
