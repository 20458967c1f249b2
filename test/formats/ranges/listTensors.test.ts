// Files read by ranges give what the readers of whole files give, and read no more than they must.
import { zipSync } from 'fflate';
import { describe, expect, test } from 'vitest';
import { indexOf } from '../../../src/engine/tensor.ts';
import { FormatError } from '../../../src/formats/formatError.ts';
import { type ByteSource, inMemory, paged } from '../../../src/formats/ranges/byteSource.ts';
import { entriesOf, type FileTensor, stridesOf } from '../../../src/formats/ranges/fileTensor.ts';
import { listTensors } from '../../../src/formats/ranges/listTensors.ts';
import { readTensorFile } from '../../../src/formats/tensorFile.ts';
import { writeNpy } from '../../../src/formats/npy.ts';
import { writeSafetensors } from '../../../src/formats/safetensors.ts';
import { fixture } from '../fixtures.ts';

const breathe = (): undefined => undefined;

/** Row-major entries of a tensor of a file. */
async function numbersOf(tensor: FileTensor, file: string): Promise<number[]> {
  const bytes = await tensor.open({ breathe });
  const entries = entriesOf(tensor, bytes, file);
  const data = await entries.read(0, entries.size);
  const steps = stridesOf(tensor);
  return Array.from(
    data,
    (_, n) => data[indexOf(tensor.shape, n).reduce((at, i, axis) => at + i * steps[axis], 0)],
  );
}

function counting(source: ByteSource): ByteSource & { bytesRead: number } {
  return {
    size: source.size,
    bytesRead: 0,
    async read(offset, length) {
      const bytes = await source.read(offset, length);
      this.bytesRead += bytes.length;
      return bytes;
    },
  };
}

const problemOf = async (bytes: Uint8Array, file: string): Promise<string> => {
  try {
    const { unreadable } = await listTensors(inMemory(bytes), file);
    return unreadable.map(({ problem }) => problem).join(' | ');
  } catch (error) {
    expect(error).toBeInstanceOf(FormatError);
    return (error as FormatError).message;
  }
};

describe('the same tensors as the readers of whole files', () => {
  test.each([
    'samples.npz',
    'orders.npz',
    'version2.npy',
    'version3.npy',
    'bfloat16.npy',
    'samples.safetensors',
  ])('%s', async (file) => {
    const bytes = fixture(file);
    const { tensors, unreadable } = await listTensors(inMemory(bytes), file);
    const expected = readTensorFile(file, bytes, { bfloat16: true });
    expect(unreadable).toEqual([]);
    expect(tensors.map(({ name, dtype, shape }) => ({ name, dtype, shape }))).toEqual(
      expected.map(({ name, dtype, tensor }) => ({ name, dtype, shape: tensor.shape })),
    );
    for (const [n, tensor] of tensors.entries()) {
      expect(await numbersOf(tensor, file)).toEqual([...expected[n].tensor.data]);
    }
  });
});

test('a listing reads headers, showing a tensor reads that tensor', async () => {
  const big = { shape: [100, 1000], data: new Float64Array(100_000).fill(1.5) };
  const file = writeSafetensors([
    ['a', big],
    ['b', { shape: [2], data: Float64Array.of(3, 4) }],
    ['c', big],
  ]);
  const source = counting(inMemory(file));
  const { tensors } = await listTensors(source, 'x.safetensors');
  expect(source.bytesRead).toBeLessThan(1000);
  expect(
    await numbersOf(
      tensors.find(({ name }) => name === 'b')!,
      'x',
    ),
  ).toEqual([3, 4]);
  expect(source.bytesRead).toBeLessThan(1000);
});

test('pages: small reads cost one, the results are the same', async () => {
  const bytes = Uint8Array.from({ length: 700_000 }, (_, n) => n % 251);
  const source = counting(inMemory(bytes));
  const fast = paged(source, 2 ** 20);
  for (const [offset, length] of [
    [0, 10],
    [5, 3],
    [262_140, 10],
    [699_990, 50],
    [100, 600_000],
  ]) {
    expect(await fast.read(offset, length)).toEqual(bytes.subarray(offset, offset + length));
  }
  const before = source.bytesRead;
  await fast.read(20, 20);
  expect(source.bytesRead).toBe(before);
});

test('a file beginning with 0x80 for the length of its header is no pickle', async () => {
  const tensor = { shape: [1], data: Float64Array.of(7) };
  for (let length = 0; length < 256; length++) {
    const file = writeSafetensors([['n'.repeat(length + 1), tensor]]);
    if (file[0] !== 0x80) continue;
    const { tensors } = await listTensors(inMemory(file), 'a.safetensors');
    expect(await numbersOf(tensors[0], 'a')).toEqual([7]);
    return;
  }
  throw new Error('no such header came up');
});

test('cancelling stops the unpacking', async () => {
  const npy = writeNpy({
    shape: [400_000],
    data: Float64Array.from({ length: 400_000 }, Math.random),
  });
  const { tensors } = await listTensors(inMemory(zipSync({ 'a.npy': npy })), 'a.npz');
  const progress: number[] = [];
  let turns = 0;
  const opening = tensors[0].open({
    breathe: () => (++turns > 3 ? Promise.reject(new Error('cancelled')) : Promise.resolve()),
    progress: (done) => progress.push(done),
  });
  await expect(opening).rejects.toThrow('cancelled');
  expect(progress.length).toBe(4);
  expect(progress.at(-1)).toBeLessThan(0.2);
});

describe('hostile files', () => {
  const npy = (header: string, body = 0): Uint8Array => {
    const text = `${header}\n`;
    const bytes = new Uint8Array(10 + text.length + body);
    bytes.set([0x93, 78, 85, 77, 80, 89, 1, 0, text.length & 255, text.length >> 8]);
    bytes.set(new TextEncoder().encode(text), 10);
    return bytes;
  };
  const safetensors = (header: object | string, body = 0): Uint8Array => {
    const text = new TextEncoder().encode(
      typeof header === 'string' ? header : JSON.stringify(header),
    );
    const bytes = new Uint8Array(8 + text.length + body);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
    bytes.set(text, 8);
    return bytes;
  };
  const entry = (shape: number[], data_offsets: number[], dtype = 'F32') => ({
    dtype,
    shape,
    data_offsets,
  });

  test.each<[string, string, Uint8Array, RegExp]>([
    ['empty', 'a.npy', new Uint8Array(), /an empty file/],
    ['wrong magic', 'a.npy', new TextEncoder().encode('hello, this is no array'), /no NumPy magic/],
    [
      'truncated',
      'a.npy',
      npy("{'descr': '<f8', 'fortran_order': False, 'shape': (4,), }", 31),
      /31 bytes of entries/,
    ],
    [
      'negative length',
      'a.npy',
      npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-4,), }"),
      /axis lengths that are integers from 0/,
    ],
    [
      'overflowing shape',
      'a.npy',
      npy("{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999, 99999999999), }"),
      /at most \d+ entries/,
    ],
    [
      'pickle',
      'a.npy',
      npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", 8),
      /a pickle, which is not run/,
    ],
    [
      'header beyond the file',
      'a.safetensors',
      Uint8Array.of(255, 255, 0, 0, 0, 0, 0, 0, 123),
      /the end of the file|header up to/,
    ],
    [
      'header of 2^60 bytes',
      'a.safetensors',
      Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 16, 123),
      /found length/,
    ],
    [
      'overlap',
      'a.safetensors',
      safetensors({ a: entry([2], [0, 8]), b: entry([2], [4, 12]) }, 12),
      /to begin at/,
    ],
    [
      'out of range',
      'a.safetensors',
      safetensors({ a: entry([2], [8, 16]) }, 8),
      /at most \d+, the size of the file/,
    ],
    [
      'twice',
      'a.safetensors',
      safetensors(
        '{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}',
      ),
      /this key twice/,
    ],
    ['torch', 'a.npz', zipSync({ 'archive/data.pkl': Uint8Array.of(1) }), /PyTorch checkpoint/],
    [
      'object member',
      'a.npz',
      zipSync({ 'a.npy': npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", 8) }),
      /a: found dtype '\|O'/,
    ],
    [
      'no zip',
      'a.npz',
      new TextEncoder().encode('PK\x03\x04 and nothing that follows'),
      /no directory at the end/,
    ],
  ])('%s', async (_, file, bytes, line) => {
    const problem = await problemOf(bytes, file);
    expect(problem).toMatch(line);
    expect(problem).not.toMatch(/[\n\r]/);
  });

  test('a member that lies about its size is refused when it is unpacked', async () => {
    const bytes = zipSync({
      'a.npy': writeNpy({ shape: [100_000], data: new Float64Array(100_000) }),
    });
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const directory = view.getUint32(bytes.length - 6, true);
    view.setUint32(directory + 24, 2 ** 31, true);
    expect(await problemOf(bytes, 'a.npz')).toMatch(/a size of 2147483648 bytes/);
    view.setUint32(directory + 24, 800_128 - 8, true);
    expect(await problemOf(bytes, 'a.npz')).toMatch(/800000 for float64/);
  });

  test('names that climb, zero sizes and scalars are only names and shapes', async () => {
    const file = safetensors(
      { '../../etc/passwd': entry([], [0, 4]), e: entry([3, 0], [4, 4]) },
      4,
    );
    const { tensors } = await listTensors(inMemory(file), 'a.safetensors');
    expect(tensors.map(({ name }) => name)).toEqual(['../../etc/passwd', 'e']);
    expect(await numbersOf(tensors[0], 'a')).toEqual([0]);
    expect(await numbersOf(tensors[1], 'a')).toEqual([]);
  });
});
