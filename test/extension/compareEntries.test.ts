// What is told in Problems of a comparison, at which tensor, and which setup a trace goes with.
import { expect, test } from 'vitest';
import type { Cause, NodeReport, Report } from '../../src/compare/report.ts';
import { entriesOf } from '../../src/extension/compare/entries.ts';
import { ownSetup } from '../../src/extension/compare/ownSetup.ts';

const node = (id: string, change: Partial<NodeReport> = {}): NodeReport => ({
  ...{ node: id, kind: 'gradient', status: 'missing', note: '' },
  ...{ maxAbs: null, maxRel: null, worstIndex: null, tolerance: null },
  ...change,
});
const wrong = { status: 'diverges', maxAbs: 1, note: '3 of 9 entries differ' } as const;

const cause: Cause = {
  ...{ id: 'scale-missing', title: 'the scale is missing', node: 'S', kind: 'gradient' },
  ...{ why: 'Why.', wrong: '', right: '', fix: '', numpy: '', pytorch: '', residual: 0 },
  runnerUp: null,
};

const report = (change: Partial<Report>): Report => ({
  ...{ verdict: 'diverges', first: null, nodes: [], causes: [], dtype: 'float64' },
  ...{ given: 1, compared: 1, conventions: [], precision: null, unaligned: [] },
  ...change,
});

test('a mistake at a node that was not given is told of the first wrong one after it', () => {
  const nodes = [node('P'), node('S'), node('Q', wrong), node('x', wrong)];
  expect(entriesOf(report({ nodes, causes: [cause] }))).toMatchObject([
    { node: { node: 'Q' }, message: 'dQ is wrong: dS: the scale is missing. Why.', cause: '0' },
    { node: { node: 'x' }, code: 'unknown' },
  ]);
});

test('a mistake at a node that was given is told there', () => {
  const nodes = [node('S', wrong), node('Q', { ...wrong, status: 'consequence' })];
  const entries = entriesOf(report({ nodes, causes: [cause] }));
  expect(entries).toMatchObject([
    { node: { node: 'S' }, message: 'dS: the scale is missing. Why.' },
  ]);
});

test('what has another shape cannot be compared, and another setup is no finding', () => {
  const nodes = [node('W_K', { status: 'diverges', note: 'its shape (2, 7) does not fit' })];
  expect(entriesOf(report({ nodes }))).toMatchObject([
    { message: 'dW_K cannot be compared: its shape (2, 7) does not fit.' },
  ]);
  expect(entriesOf(report({ nodes, verdict: 'unaligned' }))).toEqual([]);
});

test.each([
  ['mine.npz', 1],
  ['mine.step3.npz', 1],
  ['mine.rank0.npz', 1],
  ['mine.b.npz', 2],
  ['other.npz', null],
  ['mine', null],
] as const)('%s goes with the setup of its name', (trace, own) => {
  expect(ownSetup(trace, ['a', 'mine', 'mine.b'])).toBe(own);
});
