// The parts of several ranks: those that two processes of torch.distributed wrote, and how each kind is put together.
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { check } from '../../src/compare/check.ts';
import { fitsIn } from '../../src/compare/align/fits.ts';
import { resolveName } from '../../src/formats/nodeNames.ts';
import { openSetup } from '../../src/formats/openSetup.ts';
import { readTrace, readTraceFolder } from '../../src/formats/readTrace.ts';
import { counting, folderOf, joined, options, part } from './partFiles.ts';

const FIXTURES = new URL('../python/fixtures/ranks/', import.meta.url);
const written = Object.fromEntries(
  readdirSync(FIXTURES).map((name) => [
    name,
    new Uint8Array(readFileSync(new URL(name, FIXTURES))),
  ]),
);
const without = (...names: string[]): typeof written =>
  Object.fromEntries(Object.entries(written).filter(([name]) => !names.includes(name)));

describe('of two processes with gloo', () => {
  const open = async (): ReturnType<typeof openSetup> =>
    openSetup(new TextDecoder().decode(written['heads.attention.json']), (path) =>
      folderOf(written).read(path),
    );

  test.each([
    ['heads.npz', 28, ['dx']],
    ['heads.rank1.npz', 28, ['dx']],
    ['tokens.npz', 18, ['f', 'dW_O', 'dW_V', 'dx', 'dW_K']],
  ])('%s is what its setup computes', async (name, count, summed) => {
    const { graph, config, problems } = await open();
    expect(problems).toEqual([]);
    const { tensors, leftOut } = await readTrace(folderOf(written), name, {
      ...options,
      fits: fitsIn(graph!),
    });
    expect(leftOut).toEqual([]);
    const report = check({
      ...{ config: config!, graph: graph!, trace: tensors, names: {}, resolve: resolveName },
    });
    expect(report.unaligned).toEqual([]);
    expect(report.verdict).toBe('match');
    const given = report.nodes.filter(({ status }) => status !== 'missing');
    expect(given).toHaveLength(count);
    const notes = given.filter(({ note }) => note === 'the sum over 2 ranks');
    expect(notes.map(({ node, kind }) => (kind === 'value' ? node : `d${node}`))).toEqual(summed);
  });

  test('in a folder of their own need no name', async () => {
    const own = folderOf(without('tokens.rank0.npz', 'tokens.rank1.npz'));
    const { tensors } = await readTraceFolder(own, options);
    expect(tensors.find(({ name }) => name === 'W_Q')?.tensor.shape).toEqual([5, 12]);
  });

  test('of two traces in one folder need a name', async () => {
    await expect(readTraceFolder(folderOf(written), options)).rejects.toThrow(
      'folder: found parts of heads.npz, tokens.npz, expected those of one: name it',
    );
  });

  test.each([
    ['heads.npz', 'heads.rank0.npz', '0'],
    ['heads.npz', 'heads.rank1.npz', '1'],
    ['heads.rank0.npz', 'heads.rank1.npz', '1'],
  ])('%s without %s names the rank that is missing', async (name, missing, rank) => {
    await expect(readTrace(folderOf(without(missing)), name, options)).rejects.toThrow(
      `heads.npz: found no part of rank ${rank}, expected the parts of all 2 ranks`,
    );
  });
});

describe('puts together', () => {
  test('query heads, key heads that two ranks share, and features of several heads', async () => {
    const own = (rank: number): Uint8Array =>
      part(
        ...[rank, 2],
        { heads: [rank === 0 ? 0 : 1, rank === 0 ? 1 : 3], kvHeads: [0, 1] },
        {
          P: counting([1 + rank, 2, 2], 4 * rank),
          W_Q: counting([2, 3 * (1 + rank)], 100 * rank),
          Kh: counting([1, 2, 4]),
          dKh: counting([1, 2, 4], rank),
        },
      );
    const { tensors } = await joined([own(0), own(1)]);
    const found = new Map(tensors.map((each) => [each.name, each]));
    expect(found.get('P')?.tensor).toEqual(counting([3, 2, 2]));
    expect(found.get('W_Q')?.tensor).toEqual({
      shape: [2, 9],
      data: Float64Array.of(
        ...[0, 1, 2, 100, 101, 102, 103, 104, 105],
        ...[3, 4, 5, 106, 107, 108, 109, 110, 111],
      ),
    });
    expect(found.get('Kh')?.tensor).toEqual(counting([1, 2, 4]));
    expect([...found.get('dKh')!.tensor.data]).toEqual([1, 3, 5, 7, 9, 11, 13, 15]);
    expect(found.get('dKh')?.note).toBe('the sum over 2 ranks');
  });

  test('tokens: queries on the last axis where scores are key-first', async () => {
    const own = (rank: number): Uint8Array =>
      part(
        rank,
        2,
        { queries: [2 * rank, 2 * rank + 2] },
        {
          P: { shape: [3, 2], data: Float64Array.of(0, 1, 4, 5, 8, 9).map((n) => n + 2 * rank) },
        },
      );
    const { tensors } = await joined([own(0), own(1)]);
    expect(tensors[0].tensor).toEqual(counting([3, 4]));
  });

  test("PyTorch's weights, (out, in), and any layout that the node's shape tells", async () => {
    const own = (rank: number): Uint8Array =>
      part(
        rank,
        2,
        { heads: [rank, rank + 1] },
        {
          'q_proj.weight': counting([2, 2], 4 * rank),
          O: counting([2, 1, 2], 4 * rank),
        },
      );
    const fits = (node: string, shape: readonly number[]): boolean =>
      node === 'O' ? shape.join() === '2,2,2' : true;
    const { tensors } = await joined([own(0), own(1)], { fits });
    expect(tensors[0].tensor).toEqual(counting([4, 2]));
    // (tokens, heads, width)
    expect([...tensors[1].tensor.data]).toEqual([0, 1, 4, 5, 2, 3, 6, 7]);
  });

  test('the numbers of kernels that are not deterministic: copies, not shares', async () => {
    const dy = counting([3, 4], 1);
    const near = { ...dy, data: dy.data.map((value) => value * (1 + 1e-7)) };
    const spans = { heads: [0, 1] };
    const parts = [part(0, 2, spans, { dy }), part(1, 2, { heads: [1, 2] }, { dy: near })];
    const [{ tensor, note }] = (await joined(parts)).tensors;
    expect(tensor).toEqual(dy);
    expect(note).toBeUndefined();
  });

  test('y as the sum over the heads of the ranks, but not over their tokens', async () => {
    const own = (key: string) => (rank: number) =>
      part(rank, 2, { [key]: [2 * rank, 2 * rank + 2] }, { y: counting([2, 1], 10 * rank) });
    const heads = await joined([0, 1].map(own('heads')));
    expect([...heads.tensors[0].tensor.data]).toEqual([10, 12]);
    const tokens = await joined([0, 1].map(own('tokens')));
    expect([...tokens.tensors[0].tensor.data]).toEqual([0, 1, 10, 11]);
  });

  test('a mask that is the same on all ranks, and a keep-mask of heads', async () => {
    const own = (rank: number): Uint8Array =>
      part(
        rank,
        2,
        { heads: [rank, rank + 1] },
        {
          mask: counting([2, 2]),
          keep: counting([1, 2, 2], 4 * rank),
        },
      );
    const { tensors } = await joined([own(0), own(1)]);
    expect(tensors.map(({ tensor }) => tensor)).toEqual([counting([2, 2]), counting([2, 2, 2])]);
  });

  test('what differs and is no share is left out, with its ranks', async () => {
    const own = (rank: number): Uint8Array =>
      part(
        rank,
        2,
        { heads: [rank, rank + 1] },
        {
          x: counting([2, 2], rank),
          P: counting([1, 2, 2], rank),
        },
      );
    const { tensors, leftOut } = await joined([own(0), own(1)]);
    expect(tensors.map(({ name }) => name)).toEqual(['P']);
    expect(leftOut).toEqual([
      {
        name: 'x',
        reason: 'rank 1 has other numbers than rank 0; what each rank has whole must be equal',
      },
    ]);
  });

  test('nothing where a rank has all of its own', async () => {
    const own = (rank: number): Uint8Array => part(rank, 2, {}, { x: counting([2, 2], rank) });
    const files = folderOf({ 'm.rank0.npz': own(0), 'm.rank1.npz': own(1) });
    const { tensors } = await readTrace(files, 'm.rank1.npz', options);
    expect(tensors[0].tensor).toEqual(counting([2, 2], 1));
  });
});
