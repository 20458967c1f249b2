// Reads the options of rotary position embeddings and settles their defaults.
import { findNodeAtLocation, type Node } from 'jsonc-parser';
import type { RopeScaling } from '../engine/config.ts';
import { suggest } from './didYouMean.ts';
import type { ReadTensor } from './parseTensor.ts';
import type { ProblemList } from './setupProblems.ts';
import * as read from './setupReader.ts';
import type { Path, RopeSource } from './setupTypes.ts';

/** What each way of scaling needs, and what it may have. */
const SCALINGS = {
  linear: { needs: ['factor'], has: [] },
  ntk: { needs: ['factor'], has: [] },
  llama3: { needs: ['factor', 'originalLength'], has: ['lowFreqFactor', 'highFreqFactor'] },
  yarn: {
    needs: ['factor', 'originalLength'],
    has: ['betaFast', 'betaSlow', 'magnitude', 'truncate'],
  },
} as const satisfies Record<RopeScaling['kind'], object>;

/** Llama 3.1's and the authors' own. */
const DEFAULTS = {
  linear: {},
  ntk: {},
  llama3: { lowFreqFactor: 1, highFreqFactor: 4 },
  yarn: { betaFast: 32, betaSlow: 1, truncate: true },
} as const satisfies Record<RopeScaling['kind'], object>;

export function ropeReader(list: ProblemList, tensor: ReadTensor): read.Read<RopeSource> {
  const count = read.positiveInteger(list);
  const fields = read.object<RopeSource>(list, {
    base: read.number(list, 'a number above 0', (value) => value > 0),
    pairing: read.oneOf(list, ['half', 'interleaved']),
    features: read.number(
      list,
      'an even integer from 2',
      (value) => Number.isSafeInteger(value) && value >= 2 && value % 2 === 0,
    ),
    scaling: scalingReader(list),
    invFreq: tensor,
    positions: tensor,
    queryPositions: tensor,
    sections: read.list(list, count),
    sectionFrequencies: read.oneOf(list, ['shared', 'own'] as const),
  });
  return (node, path) => {
    const result = fields(node, path);
    checkRope(list, node, path);
    return result && { base: 10000, pairing: 'half', ...result };
  };
}

function checkRope(list: ProblemList, node: Node, path: Path): void {
  const given = (key: string): boolean => findNodeAtLocation(node, [key]) !== undefined;
  for (const key of ['base', 'scaling', 'sectionFrequencies']) {
    if (given('invFreq') && given(key))
      list.error([...path, key], 'found beside invFreq, expected one of the two');
  }
  const needs: readonly [key: string, other: string, why: string][] = [
    ['sections', 'positions', 'one set of positions for each section'],
    ['queryPositions', 'positions', 'those of the keys'],
    ['sectionFrequencies', 'sections', 'the sections that it is about'],
  ];
  for (const [key, other, why] of needs)
    if (given(key) && !given(other)) list.error([...path, key], `found without "${other}", ${why}`);
}

function scalingReader(list: ProblemList): read.Read<RopeScaling> {
  const positive = read.number(list, 'a number above 0', (value) => value > 0);
  const kinds = Object.keys(SCALINGS) as RopeScaling['kind'][];
  return (node, path) => {
    const kind = node.type === 'object' ? findNodeAtLocation(node, ['kind']) : undefined;
    const known = kinds.find((each) => each === kind?.value);
    if (!known) {
      const found = kind ? read.describe(kind) : `${read.describe(node)} without a "kind"`;
      const hint = suggest(String(kind?.value ?? ''), kinds);
      list.error(kind ? [...path, 'kind'] : path, `found ${found}, ${hint}`);
      return undefined;
    }
    const { needs, has } = SCALINGS[known];
    const readers = Object.fromEntries([
      ['kind', read.oneOf(list, kinds)],
      ...[...needs, ...has].map((key) => [key, key === 'truncate' ? read.boolean(list) : positive]),
    ]) as Record<string, read.Read<unknown>>;
    const result = read.object<Record<string, unknown>>(list, readers)(node, path);
    const missing = needs.filter((key) => !findNodeAtLocation(node, [key]));
    for (const key of missing) list.error(path, `found no "${key}", expected it`);
    const settled = { ...DEFAULTS[known], ...result } as RopeScaling;
    if (settled.kind === 'llama3' && settled.lowFreqFactor >= settled.highFreqFactor) {
      const found = `lowFreqFactor ${settled.lowFreqFactor}`;
      list.error(
        path,
        `found ${found}, expected it below highFreqFactor ${settled.highFreqFactor}`,
      );
    }
    return settled;
  };
}
