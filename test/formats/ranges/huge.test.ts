// A sparse file of 10 GB: listed at once, and of its tensors only what is shown is read.
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openDisk } from '../../../src/extension/tensorFile/diskBytes.ts';
import type { ByteSource } from '../../../src/formats/ranges/byteSource.ts';
import { entriesOf, stridesOf } from '../../../src/formats/ranges/fileTensor.ts';
import { listTensors } from '../../../src/formats/ranges/listTensors.ts';
import { planeOf } from '../../../src/inspect/plane.ts';
import { Pyramid } from '../../../src/inspect/pyramid.ts';
import { statisticsOf } from '../../../src/inspect/statistics.ts';

const GIGABYTE = 2 ** 30;
const breathe = (): undefined => undefined;

function writeHuge(path: string): void {
  const big = (n: number) => ({
    dtype: 'BF16',
    shape: [32_768, 16_384],
    data_offsets: [n * GIGABYTE, (n + 1) * GIGABYTE],
  });
  const small = {
    dtype: 'F32',
    shape: [512, 512],
    data_offsets: [10 * GIGABYTE, 10 * GIGABYTE + 2 ** 20],
  };
  const header = {
    ...Object.fromEntries(Array.from({ length: 10 }, (_, n) => [`block.${n}`, big(n)])),
    small,
  };
  const text = new TextEncoder().encode(JSON.stringify(header));
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(text.length), true);
  const file = openSync(path, 'w');
  writeSync(file, length);
  writeSync(file, text);
  ftruncateSync(file, 8 + text.length + 10 * GIGABYTE + 2 ** 20);
  closeSync(file);
}

test('10 GB', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'huge-'));
  try {
    const path = join(folder, 'huge.safetensors');
    writeHuge(path);
    const before = process.memoryUsage().rss;
    const opened = await openDisk(path);
    const { source } = opened;
    let bytesRead = 0;
    const counted: ByteSource = {
      size: source.size,
      read: async (offset, length) => {
        bytesRead += length;
        return source.read(offset, length);
      },
    };
    const { tensors } = await listTensors(counted, 'huge.safetensors');
    expect(tensors).toHaveLength(11);
    expect(bytesRead).toBeLessThan(10_000);

    // The small tensor costs its own bytes: once for the statistics, once for its tile.
    const small = tensors.find(({ name }) => name === 'small')!;
    const entries = entriesOf(small, await small.open({ breathe }), 'huge');
    expect(await statisticsOf(entries, breathe)).toMatchObject({
      entries: 2 ** 18,
      zeros: 2 ** 18,
    });
    expect(bytesRead).toBeLessThan(2 ** 20 + 10_000);

    // Of a large one, a corner at full size is its tile.
    const large = tensors[3];
    const plane = planeOf(
      { ...large, strides: stridesOf(large) },
      { rowAxis: 0, colAxis: 1, fixed: [0, 0] },
    );
    bytesRead = 0;
    const pyramid = new Pyramid(
      entriesOf(large, await large.open({ breathe }), 'huge'),
      plane,
      'mean',
    );
    await pyramid.tile({ level: 0, down: 100, across: 50 }, breathe);
    expect(bytesRead).toBe(256 * 256 * 2);
    const grown = (process.memoryUsage().rss - before) / 2 ** 20;
    console.log(`10 GB listed; memory grew by ${grown.toFixed(0)} MB`);
    expect(grown).toBeLessThan(150);
    opened.dispose();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}, 30_000);
