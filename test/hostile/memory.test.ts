// Small files that ask for much, and large ones of which little is wanted: the peak of memory, beside what is wanted.
import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { deflateRawSync } from 'node:zlib';
import { strToU8 } from 'fflate';
import { beforeAll, expect, test } from 'vitest';
import { writeNpy } from '../../src/formats/npy.ts';
import { crc32 } from '../../src/formats/zip.ts';
import { useCli } from '../cli/cli.ts';
import { amount, tell } from './amount.ts';

const cli = useCli();
const MEGABYTE = 1e6;
/** Beside three times what is wanted. */
const MOST = 200 * MEGABYTE;
const SIZE = amount(127 * 2 ** 20, 16 * 2 ** 20);

/** The header of a .npy file of booleans. */
function header(shape: string, descr = '|b1', order = 'False'): Uint8Array {
  const dict = `{'descr': '${descr}', 'fortran_order': ${order}, 'shape': ${shape}, }`.padEnd(117);
  const start = Uint8Array.of(0x93, ...strToU8('NUMPY'), 1, 0, 118, 0);
  return Uint8Array.of(...start, ...strToU8(`${dict}\n`));
}

/** An archive of members that are each a head and then zeros, deflated. */
function bomb(
  members: Readonly<Record<string, readonly [head: Uint8Array, zeros: number]>>,
): Uint8Array {
  const locals: Buffer[] = [];
  const entries: Buffer[] = [];
  let at = 0;
  for (const [name, [head, zeros]] of Object.entries(members)) {
    const whole = Buffer.concat([head, Buffer.alloc(zeros)]);
    const packed = deflateRawSync(whole, { level: 9 });
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(8, 4);
    common.writeUInt32LE(crc32(whole), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(whole.length, 18);
    common.writeUInt16LE(name.length, 22);
    const local = Buffer.concat([Buffer.from('PK\u0003\u0004'), common, Buffer.from(name), packed]);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(at, 10);
    entries.push(
      Buffer.concat([Buffer.from('PK\u0001\u0002\u0014\u0000'), common, rest, Buffer.from(name)]),
    );
    locals.push(local);
    at += local.length;
  }
  const end = Buffer.alloc(22);
  end.write('PK\u0005\u0006');
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(
    entries.reduce((sum, each) => sum + each.length, 0),
    12,
  );
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...locals, ...entries, end]);
}

/** A file of this size that takes no room on the disk. */
function sparse(name: string, size: number, start: Uint8Array): string {
  const handle = openSync(cli.path(name), 'w');
  writeSync(handle, start);
  ftruncateSync(handle, size);
  closeSync(handle);
  return name;
}

const weights = { W_K: [[1], [2]], W_Q: [[1], [2]] };
const setupOf = (name: string, x: unknown): string =>
  cli.write(`${name}.attention.json`, JSON.stringify({ head: 'kq', x, weights }));

/** Runs the command line and gives its peak of memory in bytes beside its outcome. */
async function measured(words: string): Promise<{ code: number; stderr: string; peak: number }> {
  cli.write(
    'peak.cjs',
    `process.on('exit', () => require('fs').writeFileSync('peak', String(process.resourceUsage().maxRSS)))`,
  );
  const { code, stderr } = await cli.shell(`NODE_OPTIONS='--require ./peak.cjs' $CLI ${words}`);
  return { code, stderr, peak: 1024 * Number(readFileSync(cli.path('peak'), 'utf8')) };
}

const NAMES = ['x', 'K', 'Q', 'V', 'S', 'P', 'y', 'dP'];
const large = [header(`(${SIZE},)`), SIZE] as const;

beforeAll(() => {
  cli.write('eight.npz', bomb(Object.fromEntries(NAMES.map((name) => [`${name}.npy`, large]))));
  const two = writeNpy({ shape: [2, 2], data: Float64Array.of(1, 2, 3, 4) });
  const others = NAMES.slice(1).map((name) => [`${name}.npy`, large] as const);
  cli.write('one.npz', bomb({ 'x.npy': [two, 0], ...Object.fromEntries(others) }));
  cli.write('lies.npz', bomb({ 'x.npy': [header('(1, 2)', '<f8'), 5 * SIZE] }));
  const many = Array.from(
    { length: amount(2000, 200) },
    (_, n) => [`n${n}.npy`, [header('(65536,)'), 65536]] as const,
  );
  cli.write('many.npz', bomb(Object.fromEntries(many)));
  cli.write('text.json', `{"P": [${'1.25,'.repeat(amount(20, 2) * MEGABYTE)}1]}`);
  cli.write(
    'nested.json',
    `{${Array.from({ length: 1000 }, (_, n) => `"n${n}": [${'1,'.repeat(amount(20_000, 1000))}1]`).join()}}`,
  );
  sparse('long.json', 250 * MEGABYTE, strToU8('{"P": ['));
  sparse('long.attention.json', 1000 * MEGABYTE, strToU8('{"x": ['));
  sparse('huge.npy', 4e9, header('(3999999872,)'));
  sparse('huge.safetensors', 4e9, Uint8Array.of(255, 255, 255, 0, 0, 0, 0, 0));
  const row = `[${Array.from({ length: 1000 }, () => '1').join()}]`;
  cli.write(
    'inline.attention.json',
    `{"head": "kq", "x": [${Array.from({ length: amount(4000, 1500) }, () => row).join()}]}`,
  );
  setupOf('small', [[1, 2], [3, 4]]); // prettier-ignore
  setupOf('one', { file: 'one.npz', key: 'x' });
  setupOf('lies', { file: 'lies.npz', key: 'x' });
  setupOf('huge', { file: 'huge.npy' });
  setupOf('keyed', { file: 'text.json', key: 'Q' });
});

test.each([
  [
    'eight arrays, none of which can be a node',
    'check small.attention.json --against eight.npz',
    2,
  ],
  ['one small array beside seven large ones', 'run one.attention.json', 0],
  ['a small array in a large member', 'run lies.attention.json', 2],
  ['thousands of arrays', 'check small.attention.json --against many.npz', 2],
  ['many numbers in JSON', 'check small.attention.json --against text.json', 2],
  ['many lists in JSON', 'check small.attention.json --against nested.json', 2],
  ['a key of much JSON that is not there', 'run keyed.attention.json', 2],
  ['250 MB of JSON', 'check small.attention.json --against long.json', 2],
  ['a setup of a gigabyte', 'run long.attention.json', 2],
  ['a setup of millions of numbers', 'run inline.attention.json', 2],
  ['4 GB of one array', 'run huge.attention.json', 2],
  ['4 GB with a long header', 'check small.attention.json --against huge.safetensors', 2],
])('%s', async (what, words, wanted) => {
  const { code, stderr, peak } = await measured(words);
  tell(`memory, ${what}`, { MB: Math.round(peak / MEGABYTE) });
  expect([code, stderr.trim().split('\n').length]).toEqual([wanted, 1]);
  // Nothing, or less than a kilobyte, is wanted.
  expect(peak).toBeLessThan(MOST);
});

/** The weights do not fit: all of x is read, and nothing is computed. */
test.each([
  ['packed', '<f8', 'False', 8],
  ['in Fortran order', '<f8', 'True', 8],
  ['of booleans', '|b1', 'False', 1],
  ['big-endian', '>f4', 'False', 4],
])('what is wanted three times: %s', async (what, descr, order, each) => {
  const rows = amount(4e6, 1e6);
  const bytes = 8 * 3 * rows;
  const shape = `(${rows}, 3)`;
  const name = `wanted-${descr.slice(1)}-${order}`;
  cli.write(`${name}.npz`, bomb({ 'x.npy': [header(shape, descr, order), 3 * rows * each] }));
  const words = `run ${setupOf(name, { file: `${name}.npz`, key: 'x' })}`;
  const { code, stderr, peak } = await measured(words);
  tell(`memory, a tensor that is wanted, ${what}`, {
    ...{ 'MB in all': Math.round(peak / MEGABYTE), 'MB of it': Math.round(bytes / MEGABYTE) },
  });
  expect([code, stderr]).toEqual([2, expect.stringMatching(/W_K: found shape \(2, 1\), expected/)]);
  expect(peak).toBeLessThan(3 * bytes + MOST);
});
