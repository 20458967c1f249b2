// What is a mistake and what a convention, and when the answer is "unknown".
import { describe, expect, it } from 'vitest';
import { check } from '../../src/compare/check.ts';
import type { Report } from '../../src/compare/report.ts';
import { map, scalar, type Tensor } from '../../src/engine/tensor.ts';
import { openSetup } from '../../src/formats/openSetup.ts';
import { allEdits, inject } from './inject.ts';

const random = (seed: number, ...shape: number[]): object => ({ random: 'normal', shape, seed });
const setup = {
  ...{ head: 'multihead', heads: 2, x: random(1, 2, 5, 6), xPrime: random(2, 2, 4, 7) },
  weights: {
    W_K: random(3, 6, 8),
    W_Q: random(4, 7, 8),
    W_V: random(5, 6, 6),
    W_O: random(6, 6, 3),
  },
  loss: { upstream: random(7, 2, 4, 3) },
};

type Entries = Record<string, Tensor>;

/** A right program's tensors by name, as `change` makes them. */
async function checked(change: (own: Entries) => Entries, own: object = setup): Promise<Report> {
  const { config, graph } = await openSetup(JSON.stringify(own), () =>
    Promise.reject(new Error('no files')),
  );
  const nothing = { apply: <T>(program: T): T => program } as never;
  const { input } = inject(config!, graph!, nothing, () => true);
  const right = Object.fromEntries(input.trace.map(({ name, tensor }) => [name, tensor]));
  const trace = Object.entries(change(right)).map(([name, tensor]) => ({
    ...{ name, tensor },
    dtype: 'float64' as const,
  }));
  return check({ ...input, trace });
}

const times = (value: Tensor, factor: number): Tensor => map(value, (entry) => entry * factor);
const without = (own: Entries, ...names: string[]): Entries =>
  Object.fromEntries(Object.entries(own).filter(([name]) => !names.includes(name)));

describe('a given upstream gradient', () => {
  it('goes with any loss', async () => {
    for (const change of [
      (own: Entries): Entries => ({ ...own, f: scalar(3.25) }),
      (own: Entries): Entries => without({ ...own, f: scalar(3.25) }, 'dy'),
    ]) {
      const report = await checked(change);
      expect(report).toMatchObject({ verdict: 'match', first: null });
      expect(report.nodes.find(({ node, kind }) => node === 'f' && kind === 'value')?.status).toBe(
        'layout',
      );
    }
  });

  it('has a wrong loss where all gradients are wrong by its factor', async () => {
    const report = await checked((own) =>
      Object.fromEntries(
        Object.entries(own).map(([name, value]) => [
          name,
          name === 'f' || (name.startsWith('d') && name !== 'df') ? times(value, 1 / 24) : value,
        ]),
      ),
    );
    expect(report.first).toEqual({ node: 'f', kind: 'value' });
    expect(report.causes[0].id).toBe('loss-mean');
  });

  it('has a loss times any factor where the gradient of y has it too', async () => {
    const report = await checked((own) =>
      Object.fromEntries(
        Object.entries(own).map(([name, value]) => [
          name,
          name === 'f' || (name.startsWith('d') && name !== 'df') ? times(value, 1000) : value,
        ]),
      ),
    );
    expect(report.first).toEqual({ node: 'f', kind: 'value' });
    expect(report.causes[0].title).toContain('1000 times');
  });
});

describe('a square matrix', () => {
  it('has its gradient laid out as its values are', async () => {
    const turn = ({ shape, data }: Tensor): Tensor => {
      const n = shape[0];
      return { shape, data: data.map((_, at) => data[(at % n) * n + Math.floor(at / n)]) };
    };
    const own = {
      head: 'kq',
      x: random(1, 5, 4),
      weights: { W_K: random(2, 4, 3), W_Q: random(3, 4, 3) },
    };
    // Query first throughout, but dS transposed once more: a mistake that looks like the reference.
    const report = await checked(
      (all) => ({ ...all, S: turn(all['S']), P: turn(all['P']), dP: turn(all['dP']) }),
      own,
    );
    expect(report.first).toEqual({ node: 'S', kind: 'gradient' });
    expect(report.causes[0].title).toContain('transposed');
  });
});

describe('a convention', () => {
  it('may be scores that are scaled already, with their gradient', async () => {
    const report = await checked((own) => ({
      ...without(own, 'S', 'dS', 'Z', 'dZ'),
      ...{ raw_scores: own['Z'], grad_raw_scores: own['dZ'] },
    }));
    expect(report).toMatchObject({ verdict: 'match', first: null });
  });

  it('may be dS before the scale, if what is computed from it is right', async () => {
    const report = await checked((own) => ({ ...own, dS: own['dZ'] }));
    expect(report).toMatchObject({ verdict: 'match', first: null });
  });

  it('is no excuse where all that is computed from it is wrong', async () => {
    const doubled = ['dQh', 'dQ', 'dW_Q', 'dKh', 'dK', 'dW_K'];
    const report = await checked((own) => ({
      ...own,
      ...Object.fromEntries(
        doubled.filter((name) => own[name]).map((name) => [name, times(own[name], 2)]),
      ),
      dS: own['dZ'],
    }));
    expect(report.first).toEqual({ node: 'S', kind: 'gradient' });
  });

  it('leaves the scale to be missing where it goes on without', async () => {
    const report = await checked((own) => ({
      ...own,
      ...{ dS: own['dZ'], dQh: times(own['dQh'], 2), dQ: times(own['dQ'], 2) },
    }));
    expect(report.first).toEqual({ node: 'Qh', kind: 'gradient' });
  });

  it('may be queries scaled before the scores, in bfloat16', async () => {
    const bf16 = (value: number): number => {
      const single = new Float32Array([value]);
      const bits = new Uint32Array(single.buffer);
      bits[0] = ((bits[0] + 0x7fff + ((bits[0] >>> 16) & 1)) & 0xffff0000) >>> 0;
      return single[0];
    };
    const report = await checked((own) =>
      Object.fromEntries(
        Object.entries(without(own, 'S', 'dS', 'dQh', 'dQ')).map(([name, value]) => [
          name,
          map(name === 'Qh' ? times(value, 0.5) : value, bf16),
        ]),
      ),
    );
    expect(report).toMatchObject({ first: null, dtype: 'bfloat16' });
  });
});

describe('an unknown first mistake', () => {
  it('leaves the causes empty, whatever comes after it', async () => {
    const report = await checked((own) => ({
      ...own,
      S: map(own['S'], (value, at) => value + Math.sin(97 * at)),
      dx: times(own['dx'], 2),
    }));
    expect(report.first).toEqual({ node: 'S', kind: 'value' });
    expect(report.causes).toEqual([]);
  });
});

describe('a large trace', () => {
  it('may hide more entries than fit on the stack', async () => {
    const n = 400;
    const own = {
      ...{ head: 'qkv', x: random(1, n, 3), mask: 'causal' },
      weights: { W_K: random(2, 3, 2), W_Q: random(3, 3, 2), W_V: random(4, 3, 2) },
    };
    const report = await checked(
      ({ Q, K, V, S, Z, M }) => ({
        ...{ Q, K, V, S, Z },
        // The last five keys are hidden as well.
        M: map(M, (value, at) => (at % n >= n - 5 ? -Infinity : value)),
      }),
      own,
    );
    expect(report.causes[0].title).toContain('hides');
  });
});

describe('the search', () => {
  it('gives the same answer on a slow machine', async () => {
    const { config, graph } = await openSetup(JSON.stringify(setup), () =>
      Promise.reject(new Error('no files')),
    );
    const edits = allEdits(config!, graph!);
    const rolled = edits.find(({ id, node }) => id === 'key-shifted' && node === 'V')!;
    const { input } = inject(config!, graph!, rolled, (key) => key === 'v:y');
    const now = Date.now;
    let ticks = now();
    // Ten seconds pass in a thousand looks at the clock.
    Date.now = (): number => (ticks += 10);
    try {
      expect(check(input).causes[0]).toMatchObject({ id: 'key-shifted' });
    } finally {
      Date.now = now;
    }
  });
});
