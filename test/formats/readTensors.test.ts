// Of a file only what is wanted is read, after its headers: told by the bytes that are asked for.
import { strToU8, zipSync } from 'fflate';
import { expect, test } from 'vitest';
import { tensor } from '../../src/engine/tensor.ts';
import { loadSetup } from '../../src/formats/loadSetup.ts';
import { writeNpy } from '../../src/formats/npy.ts';
import { parseSetup } from '../../src/formats/parseSetup.ts';
import { type ByteSource, inMemory } from '../../src/formats/ranges/byteSource.ts';
import { openTensorFile } from '../../src/formats/readTensors.ts';
import { writeSafetensors } from '../../src/formats/safetensors.ts';

const LARGE = tensor([1000, 100], new Float64Array(1e5).fill(1.5));
const SMALL = tensor([2, 2], [1, 2, 3, 4]);

function counted(bytes: Uint8Array): { source: ByteSource; read: () => number } {
  const whole = inMemory(bytes);
  let total = 0;
  const source: ByteSource = {
    size: whole.size,
    read: (offset, length) => {
      total += Math.min(length, whole.size - offset);
      return whole.read(offset, length);
    },
  };
  return { source, read: () => total };
}

const only = (wanted: string) => ({
  most: 100,
  why: (name: string) => (name === wanted ? '' : 'another is'),
});
const stored = { level: 0 } as const;

test.each([
  ['a.npz', zipSync({ 'big.npy': [writeNpy(LARGE), stored], 'x.npy': [writeNpy(SMALL), stored] })],
  ['packed.npz', zipSync({ 'big.npy': writeNpy(LARGE), 'x.npy': writeNpy(SMALL) })],
  ['a.safetensors', writeSafetensors([['big', LARGE], ['x', SMALL]])], // prettier-ignore
])('%s: the one that is wanted', async (file, bytes) => {
  const { source, read } = counted(bytes);
  const { tensors, leftOut } = await (await openTensorFile(file, source)).read(only('x'));
  expect(tensors.map(({ name, tensor: { data } }) => [name, ...data])).toEqual([['x', 1, 2, 3, 4]]);
  expect(leftOut).toEqual([{ name: 'big', reason: 'another is' }]);
  // The end of an archive is looked for in 65 KB.
  expect(read()).toBeLessThan(70_000);
});

test('what is wanted and larger than can be used is left out unread', async () => {
  const { source, read } = counted(zipSync({ 'x.npy': [writeNpy(LARGE), stored] }));
  const { tensors, leftOut } = await (await openTensorFile('a.npz', source)).read(only('x'));
  expect([tensors, leftOut]).toEqual([
    [],
    [{ name: 'x', reason: 'it has 100000 entries, at most 100 can be used' }],
  ]);
  expect(read()).toBeLessThan(70_000);
});

test('JSON: what is not wanted is not kept', async () => {
  const text = `{"big": [${'1.5, '.repeat(1e5)}1], "x": {"shape": [2, 2], "data": [1, 2, 3, 4]}}`;
  const { tensors, leftOut } = await (
    await openTensorFile('a.json', strToU8(text))
  ).read(only('x'));
  expect(tensors.map(({ name, tensor: { shape, data } }) => [name, shape, ...data])).toEqual([
    ['x', [2, 2], 1, 2, 3, 4],
  ]);
  expect(leftOut).toEqual([{ name: 'big', reason: 'another is' }]);
});

test('a setup reads what it names, and tells what else there is', async () => {
  const files = { 'a.npz': zipSync({ 'big.npy': writeNpy(LARGE), 'x.npy': writeNpy(SMALL) }) };
  const load = async (key: string) => {
    const x = `{"file": "a.npz"${key}}`;
    const text = `{"head": "kq", "x": ${x}, "weights": {"W_K": [[1], [2]], "W_Q": [[1], [2]]}}`;
    return loadSetup(parseSetup(text).setup!, async (path) => files[path as 'a.npz']);
  };
  const { config } = await load(', "key": "x"');
  expect([...config!.x!.data]).toEqual([1, 2, 3, 4]);
  const messages = async (key: string): Promise<string[]> =>
    (await load(key)).problems.map(({ message }) => message);
  expect(await messages('')).toEqual([
    'x: found no key for a.npz, which has 2 tensors; expected one of "big", "x"',
  ]);
  expect(await messages(', "key": "y"')).toEqual([
    expect.stringMatching(/^x\.key: found no "y" in a\.npz, .*"x"/),
  ]);
});
