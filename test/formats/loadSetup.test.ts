// From a checked setup to the engine's configuration: files, defaults, and what is said where files fail.
import { strToU8, zipSync } from 'fflate';
import { expect, test } from 'vitest';
import type { HeadConfig } from '../../src/engine/config.ts';
import { scalar, tensor } from '../../src/engine/tensor.ts';
import { loadSetup } from '../../src/formats/loadSetup.ts';
import { writeNpy } from '../../src/formats/npy.ts';
import { parseSetup } from '../../src/formats/parseSetup.ts';

const one = tensor([1, 1], [1]);
const FILES: Readonly<Record<string, Uint8Array>> = {
  'a.npz': zipSync({ 'x.npy': writeNpy(one), 'weights.npy': writeNpy(tensor([1, 2], [3, 4])) }),
  'one.npz': zipSync({ 'whatever.npy': writeNpy(one) }),
  'none.npz': zipSync({}),
  'dir/x.npy': writeNpy(one),
  'mask.json': strToU8('{"keep": [[true, false]], "number": [[1, 0]], "bias": [[0, "-inf"]]}'),
  'broken.npy': strToU8('hello'),
};

async function load(
  text: string,
): Promise<{ config: HeadConfig | null; messages: string[]; reads: string[] }> {
  const { setup, problems } = parseSetup(text);
  if (!setup) throw new Error(problems[0].message);
  const reads: string[] = [];
  const loaded = await loadSetup(setup, async (path) => {
    reads.push(path);
    if (!FILES[path]) throw new Error('no such file');
    return await Promise.resolve(FILES[path]);
  });
  return { ...loaded, messages: loaded.problems.map(({ message }) => message), reads };
}

test('earlier tokens without a batch axis are those of every batch entry', async () => {
  const setup = (past: string, x = '[[[1]], [[2]]]'): string =>
    `{"head": "multihead", "heads": 1, "x": ${x}, "past": {"K": ${past}, "V": ${past}},
      "weights": {"W_K": [[1]], "W_Q": [[1]], "W_V": [[1]], "W_O": [[1]]}}`;
  const pastOf = async (text: string): Promise<unknown> => (await load(text)).config?.past?.K;
  const both = tensor([2, 1, 2, 1], [3, 4, 3, 4]);
  expect(await pastOf(setup('[[[3], [4]]]'))).toEqual(both);
  expect(await pastOf(setup('[[[[3], [4]]]]'))).toEqual(both);
  expect(await pastOf(setup('[[[3], [4]]]', '[[1]]'))).toEqual(tensor([1, 2, 1], [3, 4]));
});

const kq = (x: string, more = ''): string =>
  `{"head": "kq", "x": ${x}, "weights": {"W_K": [[1]], "W_Q": [[2]]}${more}}`;
const mask = (source: string, more = ''): string => kq('[[1]]', `, "mask": ${source}${more}`);

test('given projections by heads are laid side by side', async () => {
  const byHead = '[[[[1, 2], [3, 4], [5, 6]], [[7, 8], [9, 10], [11, 12]]]]';
  const byToken = '[[[[1, 2], [7, 8]], [[3, 4], [9, 10]], [[5, 6], [11, 12]]]]';
  const shared = '[[[[1], [2], [3]]]]';
  const start = `"start": {"Q": ${byHead}, "K": ${byToken}, "V": ${shared}}`;
  const loss = `"loss": {"upstream": ${byHead}}`;
  const { config, messages } = await load(`{"head": "multihead", "heads": 2, ${start}, ${loss}}`);
  const own = tensor([1, 3, 4], [1, 2, 7, 8, 3, 4, 9, 10, 5, 6, 11, 12]);
  expect(messages).toEqual([]);
  expect(config?.start).toMatchObject({ Q: own, K: own, V: { shape: [1, 1, 3, 1] } });
  expect(config?.loss).toEqual({ kind: 'upstream', G: own });
  const grouped = await load(`{"head": "multihead", "heads": 2, "kvHeads": 1, ${start}}`);
  expect(grouped.config?.start?.V).toEqual(tensor([1, 3, 1], [1, 2, 3]));
});

test('a whole configuration', async () => {
  const text = `{
    "head": "multihead", "heads": 2, "kvHeads": 1, "scale": 0.5, "softcap": 20, "window": 3, "alibi": true,
    "x": {"file": "a.npz", "key": "x"}, "xPrime": {"file": "dir/x.npy"},
    "weights": {"W_Q": {"file": "a.npz", "key": "weights"}, "W_O": {"random": "uniform", "shape": [1, 1]}},
    "start": {"K": [[1]], "V": [[2]]}, "past": {"K": [[[1]]], "V": [[[2]]]},
    "rope": {"pairing": "half"}, "dropout": {"p": 0.5, "keep": [[1]]}, "mask": "causal",
    "loss": {"expression": "a * sum(y .* G)", "constants": {"a": 2, "G": [[1]]}}, "axes": "key-first"
  }`;
  const { config, messages, reads } = await load(text);
  expect(messages).toEqual([]);
  expect(reads).toEqual(['a.npz', 'dir/x.npy']);
  expect(config).toMatchObject({
    head: 'multihead',
    heads: 2,
    kvHeads: 1,
    scale: 0.5,
    softcap: 20,
    window: 3,
    alibi: true,
    x: one,
    xPrime: one,
    weights: { W_Q: tensor([1, 2], [3, 4]), W_O: { shape: [1, 1] } },
    start: { K: tensor([1, 1], [1]), V: tensor([1, 1], [2]) },
    past: { K: tensor([1, 1, 1], [1]), V: tensor([1, 1, 1], [2]) },
    rope: { base: 10000, pairing: 'half' },
    dropout: { p: 0.5, keep: one },
    mask: 'causal',
    loss: {
      kind: 'expression',
      expression: 'a * sum(y .* G)',
      constants: { a: scalar(2), G: one },
    },
    axes: 'key-first',
  });
});

test('defaults', async () => {
  const { config } = await load(kq('[[1]]'));
  expect(config).toEqual({
    head: 'kq',
    heads: 1,
    kvHeads: 1,
    axes: 'key-first',
    mask: 'none',
    loss: { kind: 'half-squared-norm' },
    x: one,
    weights: { W_K: one, W_Q: tensor([1, 1], [2]) },
  });
});

test.each([
  ['{"upstream": [[1]]}', { kind: 'upstream', G: one }],
  ['{"target": [[1]]}', { kind: 'target', T: one }],
])('loss %s', async (loss, expected) => {
  expect((await load(kq('[[1]]', `, "loss": ${loss}`))).config?.loss).toEqual(expected);
});

test.each([
  ['[[true, false]]', '', 'attend'],
  ['{"file": "mask.json", "key": "keep"}', '', 'attend'],
  ['{"file": "mask.json", "key": "keep"}', ', "maskMeaning": "ignore"', 'ignore'],
  ['{"file": "mask.json", "key": "bias"}', '', 'add'],
  ['[[0, 0]]', '', 'add'],
  ['[[1, 0]]', ', "maskMeaning": "attend"', 'attend'],
])('mask %s%s means %s', async (source, more, meaning) => {
  const { config, messages } = await load(mask(source, more));
  expect(messages).toEqual([]);
  expect(config?.mask).toMatchObject({ meaning });
});

test.each([
  ['[[1, 0]]', '', 'mask: found only 0 and 1 and no maskMeaning: they are ADDED to the logits'],
  ['{"file": "mask.json", "key": "number"}', '', 'mask: found only 0 and 1 and no maskMeaning'],
  ['[[true, false]]', ', "maskMeaning": "add"', 'maskMeaning: found only 0 and 1 of dtype bool'],
  [
    '[[0, "-inf"]]',
    ', "maskMeaning": "attend"',
    'maskMeaning: found "attend" with values other than 0 and 1',
  ],
])('mask %s%s warns', async (source, more, message) => {
  const { config, messages } = await load(mask(source, more));
  expect(messages.map((each) => each.slice(0, message.length))).toEqual([message]);
  expect(config).not.toBeNull();
});

test.each([
  ['{"file": "one.npz"}', null],
  ['{"file": "one.npz", "key": "whatever"}', null],
  ['{"file": "dir/x.npy", "key": "x"}', null],
  ['{"file": "missing.npz", "key": "x"}', 'x: cannot read missing.npz: no such file'],
  ['{"file": "a.npz", "key": "X"}', 'x.key: found no "X" in a.npz, did you mean "x"?'],
  [
    '{"file": "a.npz", "key": "keys"}',
    'x.key: found no "keys" in a.npz, expected one of "x", "weights"',
  ],
  [
    '{"file": "a.npz"}',
    'x: found no key for a.npz, which has 2 tensors; expected one of "x", "weights"',
  ],
  ['{"file": "none.npz"}', 'x: found no tensors in none.npz'],
  [
    '{"file": "broken.npy"}',
    'x: broken.npy: broken: found no NumPy magic bytes, expected a .npy array',
  ],
])('x %s', async (source, message) => {
  const { config, messages } = await load(kq(source));
  expect(messages).toEqual(message === null ? [] : [message]);
  expect(config?.x ?? null).toEqual(message === null ? one : null);
});

test('every entry of a broken file has its own problem, at its own place', async () => {
  const text = kq(
    '{"file": "broken.npy"}',
    ', "xPrime": {"file": "broken.npy"}, "loss": {"target": {"file": "q"}}',
  );
  const { setup } = parseSetup(text);
  if (!setup) throw new Error('no setup');
  const { problems } = await loadSetup(setup, (path) => readFile(path));
  expect(problems.map(({ path }) => path)).toEqual([['x'], ['xPrime'], ['loss', 'target']]);
});

function readFile(path: string): Promise<Uint8Array> {
  return FILES[path] ? Promise.resolve(FILES[path]) : Promise.reject(new Error('no such file'));
}
