// Files that python/attention_trace.py wrote (test/python/fixtures/make.py): read, named, and right.
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { run } from '../../src/engine/run.ts';
import type { NamedTensor } from '../../src/formats/namedTensor.ts';
import { resolveName } from '../../src/formats/nodeNames.ts';
import { openSetup } from '../../src/formats/openSetup.ts';
import { readTensorFile } from '../../src/formats/tensorFile.ts';

async function fixture(name: string): Promise<Uint8Array> {
  return new Uint8Array(await readFile(new URL(`../python/fixtures/${name}`, import.meta.url)));
}

const tensorsOf = async (file: string): Promise<NamedTensor[]> =>
  readTensorFile(file, await fixture(file));

test('number types, layouts, usual names and their gradients', async () => {
  const read = (await tensorsOf('types.npz')).map(({ name, dtype, tensor }) => {
    const found = resolveName(name, {}, tensor.shape.length);
    const node = found && (found.kind === 'gradient' ? `d${found.node}` : found.node);
    return [node, dtype, [...tensor.shape], [...tensor.data]];
  });
  const third = 0.333251953125;
  expect(read).toEqual([
    ['P', 'float32', [2], [0.5, 0.333984375]],
    ['W_Q', 'float16', [1, 2], [0.5, third]],
    ['x', 'float32', [3, 2], [0, 3, 1, 4, 2, 5]],
    ['C', 'float32', [0, 3], []],
    ['K', 'int64', [2, 2], [1, 2, 3, 4]],
    ['M', 'float32', [1, 2], [0, -Infinity]],
    ['Pd', 'bool', [2], [1, 0]],
    ['f', 'float32', [], [2.5]],
    // A scalar of the name dloss is the gradient of f.
    ['df', 'float32', [], [2]],
  ]);
});

test('a watched module is what its setup computes, values and gradients', async () => {
  const text = new TextDecoder().decode(await fixture('watched.attention.json'));
  const { graph, problems } = await openSetup(text, fixture);
  expect(problems).toEqual([]);
  const { values, gradients } = run(graph!);
  const tensors = await tensorsOf('watched.npz');
  const names = 'x W_Q b_Q W_K b_K W_V b_V W_O b_O Q K V M P C y'.split(' ');
  expect(tensors.map(({ name }) => name).sort()).toEqual(
    names.flatMap((name) => [name, `d${name}`]).sort(),
  );
  for (const { name, tensor } of tensors) {
    const { node, kind } = resolveName(name)!;
    const expected = (kind === 'value' ? values : gradients).get(node)!;
    expect(tensor.shape, name).toEqual(expected.shape);
    const error = tensor.data.map((entry, at) =>
      entry === expected.data[at] ? 0 : Math.abs(entry - expected.data[at]),
    );
    expect(Math.max(...error), name).toBeLessThan(1e-12);
  }
});
