// One entrance to all formats: by content, and the extension must agree.
import { strToU8, zipSync } from 'fflate';
import { expect, test } from 'vitest';
import { tensor } from '../../src/engine/tensor.ts';
import { decode } from '../../src/formats/dtype.ts';
import { FormatError } from '../../src/formats/formatError.ts';
import { writeNpy } from '../../src/formats/npy.ts';
import { writeSafetensors } from '../../src/formats/safetensors.ts';
import { readTensorFile } from '../../src/formats/tensorFile.ts';

const npy = writeNpy(tensor([2], [1, 2]));
const npz = zipSync({ 'P.npy': npy });
const safetensors = writeSafetensors([['P', tensor([2], [1, 2])]]);
const json = strToU8(' {"P": [1, 2]}');

test.each([
  ['runs/P.npy', npy],
  ['runs\\P.NPY', npy],
  ['a.npz', npz],
  ['a.safetensors', safetensors],
  ['a.json', json],
  ['without', npz],
  ['a.dat', safetensors],
  ['a.txt', json],
])('%s', (file, bytes) => {
  const [{ name, tensor: read }, ...rest] = readTensorFile(file, bytes);
  expect([name, ...read.data, rest.length]).toEqual(['P', 1, 2, 0]);
});

test.each([
  ['a.npz', npy, 'a.npz: found the content of a .npy file, expected that of a .npz file'],
  ['a.npy', json, 'a.npy: found the content of a .json file'],
  ['a.npz', new Uint8Array(), 'a.npz: found an empty file'],
  [
    'a.pt',
    npz,
    'a.pt: found a pickle, which is not run, expected a .npy, .npz, .safetensors or .json file: save',
  ],
  ['a', new Uint8Array([0x80, 4, 0x95]), 'a: found a pickle'],
  ['a', strToU8('hello'), 'a: found content of an unknown format'],
  ['a.npz', strToU8('hello'), 'a.npz: found no directory at the end, expected a whole zip archive'],
  ['a.json', strToU8('hello'), 'a.json: found hello, expected an object of tensors'],
  ['a.safetensors', strToU8('hello'), 'a.safetensors: found 5 bytes'],
])('%s refused', (file, bytes, message) => {
  expect(() => readTensorFile(file, bytes)).toThrow(message);
  expect(() => readTensorFile(file, bytes)).toThrow(FormatError);
});

test('the message is one line whatever is in the file', () => {
  const error = new FormatError('a', 'b\nc', 'd\u2028e', 'f');
  expect(error.message).toBe('a: b\\nc: found d\\u2028e, expected f');
});

test('decode refuses too few bytes', () => {
  expect(() => decode('float64', new Uint8Array(15), true, 2)).toThrow(RangeError);
});
