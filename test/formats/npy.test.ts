// .npy and .npz: what NumPy wrote is read to the last bit, and everything else is refused with a reason.
import { strToU8, zipSync } from 'fflate';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sizeOf, tensor } from '../../src/engine/tensor.ts';
import { FormatError } from '../../src/formats/formatError.ts';
import { readNpy, writeNpy } from '../../src/formats/npy.ts';
import { readNpz } from '../../src/formats/npz.ts';
import { expectedTensors, fixture, parts } from './fixtures.ts';

const expected = expectedTensors();

describe('files written by NumPy', () => {
  test.each(['samples.npz', 'orders.npz'])('%s', (file) => {
    const tensors = readNpz(fixture(file), file);
    expect(tensors.length).toBeGreaterThan(7);
    for (const each of tensors) expect(parts(each)).toEqual(expected.get(each.name));
  });

  test('names keep their slashes and lose .npy', () => {
    const names = readNpz(fixture('samples.npz'), 'samples.npz').map(({ name }) => name);
    expect(names).toContain('grad/Q');
    expect(names).toContain('scalar');
  });

  test('header versions 2 and 3', () => {
    expect(parts(readNpy(fixture('version2.npy'), 'a', 'a'))).toEqual(expected.get('float32'));
    expect(parts(readNpy(fixture('version3.npy'), 'a', 'a'))).toEqual(expected.get('float64'));
  });

  test('bfloat16 only when told', () => {
    const bytes = fixture('bfloat16.npy');
    expect(parts(readNpy(bytes, 'a', 'a', { bfloat16: true }))).toEqual(expected.get('bfloat16'));
    expect(() => readNpy(bytes, 'a', 'a')).toThrow(
      /'[<|]V2', records or raw bytes, expected .*bfloat16/,
    );
  });
});

describe('refused', () => {
  test.each([
    ['object.npy', /dtype '\|O', Python objects \(a pickle, which is not run\)/],
    ['record.npy', /a structured dtype/],
    ['complex.npy', /dtype '<c16', complex numbers/],
    ['text.npy', /dtype '<U2', texts/],
  ])('%s', (file, message) => {
    expect(() => readNpy(fixture(file), file, 'x')).toThrow(message);
    expect(() => readNpy(fixture(file), file, 'x')).toThrow(FormatError);
  });

  const header = (text: string, data = 0): Uint8Array => {
    const bytes = new Uint8Array(10 + text.length + data);
    bytes.set([0x93, ...strToU8('NUMPY'), 1, 0, text.length & 255, text.length >> 8]);
    bytes.set(strToU8(text), 10);
    return bytes;
  };

  test.each([
    ['', /no NumPy magic/],
    [
      "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }",
      /0 bytes of entries, expected 16/,
    ],
    ["{'descr': '<f8', 'fortran_order': False, 'shape': (-2,), }", /shape \(-2\)/],
    [
      "{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999, 0), }",
      /at most 134217728 entries/,
    ],
    [
      "{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999,), }",
      /integers from 0/,
    ],
    [
      "{'descr': '<f8', 'fortran_order': False, 'shape': (65536, 65536), }",
      /at most 134217728 entries/,
    ],
    [
      `{'descr': '<f8', 'fortran_order': False, 'shape': (${'1,'.repeat(33)}), }`,
      /more than 32 axes/,
    ],
    ["{'descr': '<f8', 'fortran_order': False, 'shape': (3), }", /a shape that is no tuple/],
    ["{'descr': '<f8', 'fortran_order': False, 'shape': (), } 1", /1 behind the header/],
    ["{'descr': '<f8', 'fortran_order': 1, 'shape': (), }", /1 in the header/],
    ["{'descr': '<f8', 'fortran_order': False, }", /a missing key/],
    ["{'descr': '<f8', 'descr': '<f8', }", /key 'descr'/],
    ["{'descr': __import__('os'), }", /__import__\('os'\), } in the header/],
    ["{'descr': '<g9', 'fortran_order': False, 'shape': (), }", /dtype '<g9'/],
    ["{'descr': '<f8', 'fortran_order': False, 'shape': (", /the end of the header/],
  ])('header %s', (text, message) => {
    const bytes = text === '' ? new Uint8Array(9) : header(text);
    expect(() => readNpy(bytes, 'a.npy', 'a')).toThrow(message);
    expect(() => readNpy(bytes, 'a.npy', 'a')).toThrow(FormatError);
  });

  test('bytes behind the entries, versions, long headers', () => {
    const bytes = writeNpy(tensor([2], [1, 2]));
    expect(() => readNpy(new Uint8Array([...bytes, 0]), 'a', 'a')).toThrow(/17 bytes of entries/);
    expect(() => readNpy(bytes.subarray(0, bytes.length - 1), 'a', 'a')).toThrow(/15 bytes/);
    const version = (major: number, ...length: number[]): Uint8Array => {
      const changed = bytes.slice();
      changed.set([major, 0, ...length], 6);
      return changed;
    };
    expect(() => readNpy(version(4), 'a', 'a')).toThrow(/version 4.0/);
    expect(() => readNpy(version(2, 255, 255, 255, 255), 'a', 'a')).toThrow(
      /header of 4294967295 bytes/,
    );
    expect(() => readNpy(bytes.subarray(0, 9), 'a', 'a')).toThrow(/the end after 9 bytes/);
    expect(() => readNpy(bytes.subarray(0, 40), 'a', 'a')).toThrow(/the end after 40 bytes/);
  });

  test('a header as old NumPy versions wrote it is read', () => {
    const text = '{"descr": "|i1", \'shape\': (3L, 1L), "fortran_order": True}\n';
    const bytes = header(text, 3);
    bytes.set([1, 2, 255], bytes.length - 3);
    expect(parts(readNpy(bytes, 'a', 'a'))).toEqual({
      dtype: 'int8',
      shape: [3, 1],
      data: [1, 2, -1],
    });
  });
});

describe('zip', () => {
  const npy = writeNpy(tensor([2], [1, 2]));
  const rewritten = (change: (view: DataView, directory: number) => void): Uint8Array => {
    const bytes = zipSync({ 'a.npy': npy });
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    change(view, view.getUint32(bytes.length - 22 + 16, true));
    return bytes;
  };

  test('stored, deflated, in folders; other members are left out', () => {
    const bytes = zipSync({
      'grad/a.npy': npy,
      'b.npy': [npy, { level: 0 }],
      'notes.txt': strToU8('n'),
      dir: {},
    });
    expect(readNpz(bytes, 'a.npz').map(({ name }) => name)).toEqual(['grad/a', 'b']);
  });

  test.each<[string, (view: DataView, directory: number) => void, RegExp]>([
    [
      'a bomb',
      (view, at) => view.setUint32(at + 24, 0x7fffffff, true),
      /size of 2147483647 bytes, expected at most/,
    ],
    [
      'a false checksum',
      (view, at) => view.setUint32(at + 16, 1, true),
      /a: found damaged|a.npy: found damaged/,
    ],
    ['a false size', (view, at) => view.setUint32(at + 24, 143, true), /15 bytes of entries/],
    ['encryption', (view, at) => view.setUint16(at + 8, 1, true), /encrypted/],
    ['another compression', (view, at) => view.setUint16(at + 10, 12, true), /compression 12/],
    ['a false place', (view, at) => view.setUint32(at + 42, 7, true), /no member at byte 7/],
    ['a missing entry', (view, at) => view.setUint32(at, 0, true), /no directory entry/],
    ['no end', (view) => view.setUint32(view.byteLength - 22, 0, true), /no directory at the end/],
  ])('%s', (_, change, message) => {
    expect(() => readNpz(rewritten(change), 'a.npz')).toThrow(message);
    expect(() => readNpz(rewritten(change), 'a.npz')).toThrow(FormatError);
  });

  test('a large array of zeros shrinks by a factor near the bound and is read', () => {
    const bytes = zipSync({ 'a.npy': writeNpy(tensor([1 << 18], new Float64Array(1 << 18))) });
    expect(bytes.length).toBeLessThan(4000);
    expect(readNpz(bytes, 'a.npz')[0].tensor.data.length).toBe(1 << 18);
  });

  test('an archive without arrays, and a PyTorch checkpoint', () => {
    expect(readNpz(zipSync({}), 'a.npz')).toEqual([]);
    expect(() => readNpz(zipSync({ 'archive/data.pkl': npy }), 'a.npz')).toThrow(
      /PyTorch checkpoint/,
    );
  });

  test('zip64 sizes are read', () => {
    // The extra field of id 1 holds the sizes; the two in the directory say 0xffffffff.
    const plain = zipSync({ 'a.npy': [npy, { level: 0, extra: { 1: new Uint8Array(16) } }] });
    const view = new DataView(plain.buffer, plain.byteOffset, plain.byteLength);
    const at = view.getUint32(plain.length - 22 + 16, true);
    const extra = at + 46 + view.getUint16(at + 28, true) + 4;
    view.setBigUint64(extra, BigInt(npy.length), true);
    view.setBigUint64(extra + 8, BigInt(npy.length), true);
    view.setUint32(at + 20, 0xffffffff, true);
    view.setUint32(at + 24, 0xffffffff, true);
    expect([...readNpz(plain, 'a.npz')[0].tensor.data]).toEqual([1, 2]);
  });
});

test('write, then read: the same', () => {
  const shapes = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 });
  const tensors = shapes.chain((shape) => {
    const size = sizeOf(shape);
    return fc.tuple(
      fc.constant(shape),
      fc.array(fc.double(), { minLength: size, maxLength: size }),
    );
  });
  fc.assert(
    fc.property(tensors, ([shape, data]) => {
      const bytes = writeNpy(tensor(shape, data));
      expect(parts(readNpy(bytes, 'a.npy', 'a'))).toEqual({ dtype: 'float64', shape, data });
    }),
  );
});
