// Wrong programs held against a setup: the statement that is told first, of mistakes that show later than where they are.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test, vi } from 'vitest';
import type { HeadConfig } from '../../src/engine/config.ts';
import { buildGraph } from '../../src/engine/heads/build.ts';
import { infer } from '../../src/lines/infer/infer.ts';
import { judge } from '../../src/lines/judge.ts';
import { firstOf } from '../../src/lines/tell/result.ts';
import { hasNumpy, hasTorch, recorded } from '../support/recorded.ts';
import { configs } from './toldSetups.ts';
import { programs } from './toldMistakes.ts';

vi.setConfig({ testTimeout: 120_000 });

const sourceOf = (name: string): string =>
  readFileSync(fileURLToPath(new URL(`kinds/${name}.py`, import.meta.url)), 'utf8');

const setups = new Map<string, HeadConfig>();

/** Of the right program. */
function setupOf(name: string): HeadConfig {
  const { recording } = recorded(sourceOf(name));
  const found = setups.get(name) ?? configs[name]?.(recording) ?? infer(recording)?.config;
  if (!found) throw new Error(`${name}: found no attention`);
  setups.set(name, found);
  return found;
}

function judged(source: string, config: HeadConfig): [verdict: string, line?: number] {
  const { recording } = recorded(source);
  const { localised } = judge(recording, config, buildGraph(config));
  const first = firstOf(recording, localised);
  return first ? [localised.verdict, first.line] : [localised.verdict];
}

describe.each(programs)('$name', ({ name, needs, mistakes }) => {
  const right = sourceOf(name);
  const isLeftOut = needs === 'torch' ? !hasTorch : !hasNumpy;

  test.skipIf(isLeftOut)('is right', () => {
    expect(judged(right, setupOf(name))).toEqual(['match']);
  });

  test.skipIf(isLeftOut).each(mistakes)('$what', ({ from, to, at }) => {
    expect(right.split(from), from).toHaveLength(2);
    const wrong = right.replace(from, to);
    const text = at ?? to.split('\n').find((line) => line.trim() !== '') ?? to;
    const line = wrong.slice(0, wrong.indexOf(text)).split('\n').length;
    expect(judged(wrong, setupOf(name))).toEqual(['diverges', line]);
  });
});
