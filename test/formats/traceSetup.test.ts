// Setups begun from a trace are read back and compute, if the trace has what they need.
import { expect, test } from 'vitest';
import { zeros } from '../../src/engine/tensor.ts';
import { openSetup } from '../../src/formats/openSetup.ts';
import { parseSetup } from '../../src/formats/parseSetup.ts';
import { writeSafetensors } from '../../src/formats/safetensors.ts';
import { type Entry, traceSetupText } from '../../src/formats/traceSetup.ts';

const entries = (shapes: Readonly<Record<string, readonly number[]>>): Entry[] =>
  Object.entries(shapes).map(([name, shape]) => ({ name, shape }));

const watched = {
  ...{ x: [2, 5, 8], W_K: [8, 4], W_Q: [8, 8], W_V: [8, 4], W_O: [8, 8], b_O: [8] },
  ...{ P: [2, 4, 5, 5], Kh: [2, 2, 5, 2], y: [2, 5, 8], dy: [2, 5, 8], keep: [3] },
};

test('of a module that was watched: heads by the shapes, the upstream gradient as the loss', async () => {
  const text = traceSetupText('mine.safetensors', entries(watched));
  const tensors = Object.entries(watched).map(([name, shape]) => [name, zeros(shape)] as const);
  const opened = await openSetup(text, () => Promise.resolve(writeSafetensors(tensors, {})));
  expect(opened.problems).toEqual([]);
  expect(opened.setup).toMatchObject({ head: 'multihead', heads: 4, kvHeads: 2 });
  expect(opened.setup?.loss).toMatchObject({ kind: 'upstream' });
  expect(opened.graph?.nodes.map(({ id }) => id)).toContain('b_O');
  expect(text).toContain('Not known by name: keep (3)');
});

test('of projections alone it begins at them', () => {
  const text = traceSetupText(
    'mine.npz',
    entries({ q: [5, 4], k: [5, 4], v: [5, 3], attn: [5, 5] }),
  );
  const { setup, problems } = parseSetup(text);
  expect(problems).toEqual([]);
  expect(setup).toMatchObject({ head: 'qkv', start: { Q: { key: 'q' }, V: { key: 'v' } } });
});

test('says what is missing, and that an nn.Linear’s weight is the transpose', () => {
  const text = traceSetupText('mine.npz', entries({ 'q_proj.weight': [8, 8], P: [5, 5] }));
  expect(text).toContain('// "x": the input; the trace has none');
  expect(text).toContain('// "W_K": of shape (in, out); the trace has none');
  expect(text).toContain('has to be transposed');
});

test('refers to the one tensor of a .npy without a key', () => {
  expect(traceSetupText('x.npy', entries({ x: [5, 4] }))).toContain('"x": {"file":"x.npy"}');
});

test('names of any kind cannot break the text', () => {
  const text = traceSetupText('a"b.npz', entries({ 'x\n"': [2], x: [2, 2], '*/ \u2028': [1] }));
  const odd = parseSetup(text).problems.filter(({ message }) => !message.startsWith('weights: '));
  expect(odd).toEqual([]);
});
