// The tensors of a real Python program, read by the expressions that a debugger is given.
import { afterEach, describe, expect, test } from 'vitest';
import { findPython } from '../../../scripts/lib/find.mjs';
import { python } from '../../../src/extension/debugger/python.ts';
import { ProgramReader } from '../../../src/extension/debugger/read.ts';
import type { ProgramTensor } from '../../../src/extension/debugger/tensor.ts';
import { type PythonProgram, pythonProgram } from './programs.ts';

const interpreter = findPython(['numpy', 'torch']);

const told = (tensors: readonly ProgramTensor[]): string[] =>
  tensors.map(({ expression, shape, dtype }) => `${expression} (${shape.join(', ')}) ${dtype}`);

// A whole `npm test` has installed it, unless told not to.
describe.skipIf(!interpreter)('a Python program', () => {
  let program: PythonProgram | undefined;

  function paused(code: string, longest?: number): ProgramReader {
    program = pythonProgram(interpreter!, code, longest);
    return new ProgramReader(program, python);
  }

  async function entries(reader: ProgramReader, expression: string): Promise<number[]> {
    const all = await reader.describe(expression);
    const tensor = all.find((each) => each.expression === expression)!;
    const { shape, data } = await reader.read(tensor, () => undefined);
    expect(shape).toEqual(tensor.shape);
    return [...data];
  }

  afterEach(() => {
    expect(program?.changed).toEqual([]);
    program?.end();
    program = undefined;
  });

  test('lists what looks like a tensor, one level deep, and nothing else', async () => {
    const reader = paused(`
import numpy as np
class Attention:
    def __init__(self): self.P = np.zeros((4, 3)); self.heads = 2; self._S = np.zeros((2, 2), np.float32)
self = Attention()
x = np.zeros((4, 2), np.float16)
cache = {'dQ': np.zeros(3), 7: np.zeros(2), 'note': 'text'}
saved = (x, np.zeros((2, 2)))
rows = [[1, 2, 3], [4, 5, 6]]
ragged = [[1], [2, 3]]
names = ['a', 'b']
loss = np.float64(0.5)
n, eps, flag, text = 4, 1e-5, True, 'P'
complex = np.zeros(2, complex)
objects = np.array([None])
type = len = list = 5
`);
    expect(told(await reader.list())).toEqual([
      'self.P (4, 3) float64',
      'self._S (2, 2) float32',
      'x (4, 2) float16',
      "cache['dQ'] (3) float64",
      'cache[7] (2) float64',
      'saved[0] (4, 2) float16',
      'saved[1] (2, 2) float64',
      'rows (2, 3) float64',
      'ragged[0] (1) float64',
      'ragged[1] (2) float64',
      'loss () float64',
    ]);
  });

  test('offers the gradients that PyTorch keeps, without its warnings', async () => {
    const reader = paused(`
import torch
x = torch.ones(2, 3, requires_grad=True)
y = x * 2
z = x * 3
z.retain_grad()
unused = torch.ones(1, requires_grad=True)
heads = [x.detach(), x.detach()]
class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.q_proj = torch.nn.Linear(3, 2)
        self.scale = torch.nn.Parameter(torch.ones(1))
model = Model()
(y * z).sum().backward()
model.scale.grad = torch.zeros(1)
`);
    expect(told(await reader.list())).toEqual([
      'x (2, 3) float32',
      'x.grad (2, 3) float32',
      'y (2, 3) float32',
      'z (2, 3) float32',
      'z.grad (2, 3) float32',
      'unused (1) float32',
      'heads (2, 2, 3) float32',
      'heads[0] (2, 3) float32',
      'heads[1] (2, 3) float32',
      'model.scale (1) float32',
      'model.scale.grad (1) float32',
      'model.q_proj.weight (2, 3) float32',
      'model.q_proj.bias (2) float32',
    ]);
    expect(await entries(reader, 'x.grad')).toEqual(Array<number>(6).fill(12));
    expect(told(await reader.describe('x'))).toEqual(['x (2, 3) float32', 'x.grad (2, 3) float32']);
    expect(await entries(reader, 'heads')).toEqual(Array<number>(12).fill(1));
  });

  test('reads every kind of array, whatever lies in memory', async () => {
    const reader = paused(`
import numpy as np, torch
a = np.arange(24.0).reshape(2, 3, 4)
views = {'transposed': a.T, 'reversed': a[::-1, 1], 'big': a[0, 0].astype('>f4'), 'fortran': np.asfortranarray(a[0])}
mask = np.array([True, False])
whole = np.array([2**53, -1])
scalar = np.float32(1.5)
half = torch.tensor([[1.5, -2], [3, 4]], dtype=torch.float16).T
brain = torch.tensor([1.0, -2.5, float('inf')], dtype=torch.bfloat16)
strided = torch.arange(6.0, requires_grad=True).reshape(2, 3)[:, ::2]
zero = torch.tensor(2.5, dtype=torch.float64)
sparse = torch.eye(2).to_sparse()
nested = [[1, True], (2.5, float('nan'))]
arrays = [a[0, 0], a[0, 1]]
loss = 0.5
class Tensor:
    def __init__(self, data): self.data = data; self.grad = None
own = Tensor(a[0, 0]); own.grad = a[0, 1]
class Lazy:
    shape, dtype = (2,), a.dtype
    def __array__(self, dtype=None): return np.array([7.0, 8.0])
lazy = Lazy()
empty = np.zeros((0, 3))
`);
    const cases: Record<string, number[]> = {
      "views['transposed']": [...Array(24).keys()].map(
        (i) => (i % 2) * 12 + (Math.floor(i / 2) % 3) * 4 + Math.floor(i / 6),
      ),
      "views['reversed']": [16, 17, 18, 19, 4, 5, 6, 7],
      "views['big']": [0, 1, 2, 3],
      "views['fortran']": [...Array(12).keys()],
      mask: [1, 0],
      whole: [2 ** 53, -1],
      scalar: [1.5],
      half: [1.5, 3, -2, 4],
      brain: [1, -2.5, Infinity],
      strided: [0, 2, 3, 5],
      zero: [2.5],
      sparse: [1, 0, 0, 1],
      nested: [1, 1, 2.5, NaN],
      arrays: [0, 1, 2, 3, 4, 5, 6, 7],
      loss: [0.5],
      own: [0, 1, 2, 3],
      'own.grad': [4, 5, 6, 7],
      lazy: [7, 8],
      empty: [],
      'a[1].sum()': [210],
    };
    for (const [expression, wanted] of Object.entries(cases))
      if (expression !== 'own.grad')
        expect(await entries(reader, expression), expression).toEqual(wanted);
    const [, gradient] = await reader.describe('own');
    expect(gradient.expression).toBe('own.grad');
    expect([...(await reader.read(gradient, () => undefined)).data]).toEqual(cases['own.grad']);
  });

  test('reads in blocks what is large, and tells the progress', async () => {
    const reader = paused(`
import numpy as np
a = np.arange(2 * 1100 * 1000, dtype=np.float32).reshape(1, 2, 1100, 1000)
b = [[float(i)] * 300 for i in range(2000)]
`);
    const [tensor] = await reader.describe('a');
    const blocks: number[] = [];
    const before = program!.evaluations;
    const { data } = await reader.read(tensor, (bytes) => blocks.push(bytes));
    expect(program!.evaluations - before).toBe(4);
    expect(blocks.reduce((sum, bytes) => sum + bytes, 0)).toBe(data.length * 4);
    expect(data.every((value, at) => value === at)).toBe(true);
    const rows = await entries(reader, 'b');
    expect(rows.every((value, at) => value === Math.floor(at / 300))).toBe(true);
  });

  test('reads whole what a debugger cuts short', async () => {
    const code = `
import numpy as np
a = np.arange(20000.0).reshape(2, 10000)
many = {('tensor%d' % i): a for i in range(190)}
more = dict(many)
`;
    const reader = paused(code, 65_540);
    const data = await entries(reader, 'a');
    expect(data.every((value, at) => value === at)).toBe(true);
    expect(await reader.list()).toHaveLength(381);
  });

  test('says what is no tensor, what cannot be compared and what is too large', async () => {
    const reader = paused(`
import numpy as np, torch
text = 'P'
z = np.zeros(2, complex)
huge = np.broadcast_to(np.float64(0), (2**14, 2**14))
meta = torch.zeros(2, device='meta')
class Attention: pass
`);
    const failure = (run: Promise<unknown>): Promise<string> =>
      run.then(
        () => 'nothing',
        (error: Error) => error.message,
      );
    expect(await failure(reader.describe('text'))).toMatch(/text is a str, not a tensor/);
    expect(await failure(reader.describe('z'))).toMatch(/complex128 cannot be compared/);
    expect(await failure(reader.describe('missing'))).toMatch(/missing/);
    expect(await failure(reader.describe('Attention'))).toMatch(/not a tensor/);
    const [huge] = await reader.describe('huge');
    expect(await failure(reader.read(huge, () => undefined))).toMatch(
      /huge is \(16384, 16384\) float64, 2.0 GiB; up to 1 GiB .* huge\[0\]/,
    );
    const [meta] = await reader.describe('meta');
    expect(await failure(reader.read(meta, () => undefined))).toMatch(/meta/);
  });
});
