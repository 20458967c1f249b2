// All that can be wrong with the parts of several ranks, and what is said of it.
import { strToU8, zipSync } from 'fflate';
import { describe, expect, test } from 'vitest';
import { readTrace, readTraceFolder } from '../../src/formats/readTrace.ts';
import { counting, folderOf, joined, options, part } from './partFiles.ts';

describe('refuses', () => {
  const P = counting([2, 1, 1]);
  const spans = (...each: [number, number][]): Uint8Array[] =>
    each.map((span, rank) => part(rank, each.length, { heads: span }, { P }));

  test.each([
    [
      'an overlap',
      spans([0, 2], [1, 3]),
      'm.npz: P: found heads 1 in m.rank0.npz and in m.rank1.npz, expected once',
    ],
    ['a gap', spans([0, 2], [3, 5]), 'm.npz: P: found no heads 2, expected all from 0 to 4'],
    ['a late start', spans([1, 3], [3, 5]), 'm.npz: P: found no heads 0, expected all from 0 to 4'],
    [
      'a tensor that one rank has not',
      [part(0, 2, { heads: [0, 2] }, { P }), part(1, 2, { heads: [2, 4] }, { S: P })],
      'm.npz: P: found no heads 2 to 3; it is not in m.rank1.npz, expected all from 0 to 3',
    ],
    [
      'lengths that are not those of the spans',
      spans([0, 1], [1, 4]),
      'm.npz: P: found shapes (2, 1, 1), (2, 1, 1), expected 1, 3 heads on axis -3',
    ],
    [
      'other axes that disagree',
      [0, 1].map((rank) =>
        part(rank, 2, { heads: [2 * rank, 2 * rank + 2] }, { P: counting([2, 1 + rank, 1]) }),
      ),
      'm.npz: P: found shapes (2, 1, 1) and (2, 2, 1), expected equal ones but for axis -3',
    ],
    [
      'copies that disagree',
      [0, 1].map((rank) => part(rank, 2, { heads: [rank, rank + 1] }, { x: counting([1 + rank]) })),
      'm.npz: x: found shape (1) in m.rank0.npz and (2) in m.rank1.npz, expected one shape',
    ],
    [
      'parts of two runs',
      [part(0, 2, { heads: [0, 2] }, { P }), part(1, 3, { heads: [2, 4] }, { P })],
      'm.npz: found a part of 3 ranks, m.rank1.npz, expected 2 ranks as in m.rank0.npz',
    ],
    [
      'a name that says another rank',
      [part(0, 2, { heads: [0, 2] }, { P }), part(0, 2, { heads: [2, 4] }, { P })],
      'm.rank1.npz: found a part of rank 0, expected that of rank 1',
    ],
    [
      'spans of something unknown',
      [part(0, 2, { head: [0, 2] }, { P })],
      'm.rank0.npz: __meta__.json: found head with [0,2], expected rank, world and part',
    ],
    [
      'spans that are none',
      [part(0, 2, { heads: [2, 2] }, { P })],
      'm.rank0.npz: __meta__.json: found heads with [2,2], expected',
    ],
    [
      'a rank beyond the last',
      [part(2, 2, { heads: [0, 2] }, { P })],
      'm.rank0.npz: __meta__.json: found rank 2 of 2, expected',
    ],
    [
      'a broken description',
      [zipSync({ '__meta__.json': strToU8('{"rank": ') })],
      'm.rank0.npz: __meta__.json: found a text that is not JSON, expected',
    ],
  ])('%s', async (_, parts, message) => {
    await expect(joined(parts)).rejects.toThrow(message);
  });

  test('what is not there at all, with the words of the file system', async () => {
    await expect(readTrace(folderOf({}), 'm.npz', options)).rejects.toThrow('ENOENT m.npz');
    await expect(readTraceFolder(folderOf({}), options)).rejects.toThrow(
      'folder: found no .npy file, expected one .npy file per tensor, or the parts of all ranks',
    );
  });
});
