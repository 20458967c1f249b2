// `run`: the table, the JSON object, and the file of tensors.
import { readFileSync, statSync } from 'node:fs';
import { describe, expect, test, vi } from 'vitest';
import { type Run, run } from '../../src/engine/run.ts';
import { norm } from '../../src/engine/tensor.ts';
import { readSafetensors } from '../../src/formats/safetensors.ts';
import { exampleText, graphOf } from '../support/setups.ts';
import { useCli } from './cli.ts';

vi.setConfig({ testTimeout: 60_000 });
const cli = useCli();
const example = (name: string): string => cli.write(`${name}.attention.json`, exampleText(name));
const runOf = async (name: string): Promise<Run> => run(await graphOf(exampleText(name)));

test('prints the nodes, f and the steps', async () => {
  const { code, stdout, stderr } = await cli.run('run', example('exercise'));
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toMatchSnapshot();
});

describe('--json', () => {
  test('every node with its shape and norms, and the order of the steps', async () => {
    const { code, stdout } = await cli.run('run', example('exercise'), '--json');
    const own = await runOf('exercise');
    expect(code).toBe(0);
    const steps = own.contributions.map(({ from, to, path }) => ({
      phase: 'backward',
      from,
      to,
      path,
    }));
    expect(JSON.parse(stdout)).toEqual({
      head: 'kq',
      f: own.values.get('f')!.data[0],
      nodes: own.graph.nodes.map(({ id, shape }) => ({
        node: id,
        shape,
        norm: norm(own.values.get(id)!),
        gradientNorm: norm(own.gradients.get(id)!),
      })),
      steps: [
        ...['K', 'Q', 'S', 'P', 'y', 'f'].map((node) => ({ phase: 'forward', node })),
        ...steps,
      ],
      notices: [],
    });
  });

  test('NaN and infinity are strings, and notices say where they are from', async () => {
    const setup = {
      ...{
        head: 'kq',
        x: [
          [1, 'nan'],
          [2, 3],
        ],
        weights: { W_K: [[1], [1]], W_Q: [[1], [1]] },
      },
      ...{
        mask: [
          ['-inf', 0],
          [0, 0],
        ],
        maskMeaning: 'add',
      },
    };
    const file = cli.write('nan.attention.json', JSON.stringify(setup));
    const { code, stdout } = await cli.run('run', file, '--json');
    const { f, nodes, notices } = JSON.parse(stdout) as Record<string, unknown>;
    expect([code, f]).toEqual([0, 'nan']);
    expect(nodes).toContainEqual({ node: 'x', shape: [2, 2], norm: 'nan', gradientNorm: 'nan' });
    expect(notices).toMatchObject([{ node: 'x', what: 'NaN', message: 'NaN is given in x[0, 1]' }]);
  });

  test('prints nothing else, but warnings on standard error with their line', async () => {
    const text =
      '{\n "head": "kq", "x": [[1]],\n "maskMeaning": "add",\n "weights": {"W_K": [[1]], "W_Q": [[1]]}}';
    const { code, stdout, stderr } = await cli.run(
      'run',
      cli.write('w.attention.json', text),
      '--json',
    );
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ head: 'kq' });
    expect(stderr).toBe(
      'w.attention.json:3: warning: maskMeaning: is not used: it tells how to read a mask that is a tensor\n',
    );
  });
});

describe('--out', () => {
  test.each(['exercise', 'causal-qkv', 'cross-attention'])(
    '%s: every value and every gradient, exactly',
    async (name) => {
      const out = `${name}.safetensors`;
      const { code } = await cli.run('run', example(name), '--out', out);
      expect(code).toBe(0);
      const tensors = readSafetensors(readFileSync(cli.path(out)), out);
      const { graph, values, gradients } = await runOf(name);
      const expected = graph.nodes.flatMap(({ id }) => [
        { name: id, dtype: 'float64', tensor: values.get(id)! },
        { name: `d${id}`, dtype: 'float64', tensor: gradients.get(id)! },
      ]);
      expect(tensors).toEqual(expected);
      expect(tensors.find((each) => each.name === 'f')!.tensor.shape).toEqual([]);
    },
  );

  test('the gradient of an input that nothing uses is 0', async () => {
    const setup = { head: 'qkv', x: [[1, 2]], start: { Q: [[1]], K: [[1]], V: [[2]] } };
    const file = cli.write('unused.attention.json', JSON.stringify(setup));
    const { code } = await cli.run('run', file, '--out', 'unused.safetensors');
    expect(code).toBe(0);
    const tensors = readSafetensors(readFileSync(cli.path('unused.safetensors')), 'unused');
    expect([...tensors.find(({ name }) => name === 'dx')!.tensor.data]).toEqual([0, 0]);
  });

  test('replaces an older file and leaves nothing beside it', async () => {
    cli.write('old.safetensors', 'old');
    const before = cli.names();
    await cli.run('run', example('exercise'), '--out', 'old.safetensors');
    expect(statSync(cli.path('old.safetensors')).size).toBeGreaterThan(1000);
    expect(cli.names()).toEqual([...new Set([...before, 'exercise.attention.json'])].sort());
  });
});

test('tensor files are looked for beside the setup', async () => {
  const graph = await graphOf(exampleText('exercise'));
  await cli.run('run', example('exercise'), '--out', 'all.safetensors');
  const text = exampleText('exercise').replace(
    /"x": \[[^}]*?\]\s*\],/,
    '"x": {"file": "all.safetensors", "key": "x"},',
  );
  expect(text).not.toBe(exampleText('exercise'));
  const { stdout } = await cli.run(
    'run',
    cli.path(cli.write('file.attention.json', text)),
    '--json',
  );
  expect(JSON.parse(stdout)).toMatchObject({ f: run(graph).values.get('f')!.data[0] });
});

test('--help says how to use it', async () => {
  const { code, stdout, stderr } = await cli.run('--help');
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toContain('run SETUP [--out FILE.safetensors] [--json]');
  expect(stdout).toContain('gradcheck SETUP [--json]');
  expect((await cli.run('run', '-h')).stdout).toBe(stdout);
});
