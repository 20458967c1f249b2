// The checker as a whole: right programs, one mistake of each sort, conventions, layouts, names.
import { describe, expect, it } from 'vitest';
import { check, type CheckInput } from '../../src/compare/check.ts';
import type { Report } from '../../src/compare/report.ts';
import { map, type Tensor } from '../../src/engine/tensor.ts';
import { openSetup } from '../../src/formats/openSetup.ts';
import { drawSetup, generator } from '../conformance/draw.mjs';
import { allEdits, inject } from './inject.ts';

type Opened = Pick<CheckInput, 'config' | 'graph'>;

async function open(setup: object): Promise<Opened> {
  const { config, graph } = await openSetup(JSON.stringify(setup), () =>
    Promise.reject(new Error('no files')),
  );
  if (!config || !graph) throw new Error('the setup cannot be opened');
  return { config, graph };
}

const random = (seed: number, ...shape: number[]): object => ({ random: 'normal', shape, seed });

const multihead = {
  ...{
    head: 'multihead',
    heads: 2,
    kvHeads: 2,
    mask: 'causal',
    x: random(1, 2, 5, 6),
    xPrime: random(2, 2, 4, 7),
  },
  weights: {
    W_K: random(3, 6, 8),
    W_Q: random(4, 7, 8),
    W_V: random(5, 6, 8),
    W_O: random(6, 8, 3),
  },
  loss: { upstream: random(7, 2, 4, 3) },
};

/** The mistake of an edit with this id, at this node. */
async function mistake(
  setup: object,
  id: string,
  node: string,
  given: (key: string) => boolean = () => true,
): Promise<Report> {
  const { config, graph } = await open(setup);
  const edit = allEdits(config, graph).find((each) => each.id === id && each.node === node);
  if (!edit) throw new Error(`no edit ${id} at ${node}`);
  return check(inject(config, graph, edit, given).input);
}

/** All tensors of a right program, changed by `change`. */
async function right(
  setup: object,
  change: (name: string, tensor: Tensor) => Tensor | null,
): Promise<CheckInput> {
  const { config, graph } = await open(setup);
  const nothing = { apply: <T>(program: T): T => program } as never;
  const { input } = inject(config, graph, nothing, () => true);
  const trace = input.trace.flatMap((each) => {
    const tensor = change(each.name, each.tensor);
    return tensor ? [{ ...each, tensor }] : [];
  });
  return { ...input, trace };
}

describe('one mistake', () => {
  it.each([
    ['scale-missing', 'Z', 'Z'],
    ['softmax-wrong-axis', 'P', 'P'],
    ['mask-causal-strict', 'M', 'M'],
    ['mask-after-softmax', 'M', 'M'],
    ['softmax-backward-no-sum', 'M', 'dM'],
    ['softmax-backward-diagonal', 'M', 'dM'],
    ['path-dropped', 'x', 'dx'],
  ])('%s at %s', async (id, node, first) => {
    const report = await mistake(multihead, id, node);
    expect(report.verdict).toBe('diverges');
    expect(report.first).toEqual({ node, kind: first.startsWith('d') ? 'gradient' : 'value' });
    expect(report.causes[0]).toMatchObject({ id, node });
    expect(report.causes).toHaveLength(1);
    expect(report.causes[0].residual).toBeLessThan(1e-12);
    expect(report.nodes.filter(({ status }) => status === 'diverges')).toHaveLength(1);
  });

  it('is found where only the output and the inputs’ gradients are given', async () => {
    const report = await mistake(multihead, 'softmax-backward-no-sum', 'M', (key) =>
      /^(v:y|g:(x|xPrime|W_.))$/.test(key),
    );
    expect(report.causes[0].id).toBe('softmax-backward-no-sum');
    expect(report.nodes.find(({ node, kind }) => node === 'M' && kind === 'gradient')?.status).toBe(
      'missing',
    );
  });
});

describe('a right program', () => {
  it('matches', async () => {
    const report = check(await right(multihead, (_, tensor) => tensor));
    expect(report).toMatchObject({ verdict: 'match', first: null, causes: [], dtype: 'float64' });
    expect(report.nodes.every(({ status }) => status === 'match')).toBe(true);
  });

  it('matches in float32 saved as float64', async () => {
    const report = check(await right(multihead, (_, tensor) => map(tensor, Math.fround)));
    expect(report).toMatchObject({ verdict: 'match', dtype: 'float32' });
  });

  it('may fill hidden scores with -1e9', async () => {
    const report = check(
      await right(multihead, (name, tensor) =>
        name === 'M' ? map(tensor, (value) => Math.max(value, -1e9)) : tensor,
      ),
    );
    expect(report.verdict).toBe('match');
    expect(report.nodes.find(({ node, kind }) => node === 'M' && kind === 'value')).toMatchObject({
      status: 'layout',
    });
  });

  it('may lay heads behind tokens', async () => {
    const report = check(
      await right(multihead, (name, tensor) => {
        if (name !== 'Qh') return tensor;
        const [b, h, j, a] = tensor.shape;
        const data = new Float64Array(tensor.data.length);
        tensor.data.forEach((value, at) => {
          const [feature, query, head, batch] = [
            at % a,
            Math.floor(at / a) % j,
            Math.floor(at / a / j) % h,
            Math.floor(at / a / j / h),
          ];
          data[((batch * j + query) * h + head) * a + feature] = value;
        });
        return { shape: [b, j, h, a], data };
      }),
    );
    expect(report.verdict).toBe('match');
    expect(report.nodes.find(({ node, kind }) => node === 'Qh' && kind === 'value')?.status).toBe(
      'layout',
    );
  });
});

describe('what cannot be explained', () => {
  it('is called unknown, with what is known', async () => {
    const noise = generator(5);
    const report = check(
      await right(multihead, (name, tensor) =>
        name === 'dM' ? map(tensor, (value) => value + noise()) : tensor,
      ),
    );
    expect(report.first).toEqual({ node: 'M', kind: 'gradient' });
    expect(report.causes).toEqual([]);
    const { note } = report.nodes.find(({ node, kind }) => node === 'M' && kind === 'gradient')!;
    expect(note).toContain('unknown cause');
    expect(note).toContain('sums over the keys');
  });

  it('tells where NaN is born', async () => {
    const report = check(
      await right(multihead, (name, tensor) =>
        name === 'O' ? map(tensor, (value, at) => (at === 7 ? NaN : value)) : tensor,
      ),
    );
    expect(report.first).toEqual({ node: 'O', kind: 'value' });
    expect(report.nodes.find(({ node, kind }) => node === 'O' && kind === 'value')?.note).toContain(
      'NaN is born in O, first at [0, 0, 1, 3]',
    );
  });

  it('is unaligned where no entry is a node', async () => {
    const report = check(await right(multihead, () => null));
    expect(report).toMatchObject({ verdict: 'unaligned', first: null });
  });
});

/** Only scores differ, by a constant for each query, say, which the softmax does not see; or dP and dM where they are not used. */
function isWithoutEffect({ changed }: ReturnType<typeof inject>): boolean {
  return changed.every((key) => /^(v:(S|Z|Zb|M)|g:(M|P|Pd))$/.test(key));
}

describe('any edit of any setup', () => {
  it('leads to the first wrong node, and nearly always to a cause', async () => {
    const draw = generator(11);
    let [cases, named] = [0, 0];
    while (cases < 40) {
      const { config, graph } = await open(drawSetup(draw).setup);
      const edits = allEdits(config, graph);
      const edit = edits[Math.floor(draw() * edits.length)];
      let injected: ReturnType<typeof inject>;
      try {
        injected = inject(config, graph, edit, () => true);
      } catch {
        // Some edits do not fit some programs.
        continue;
      }
      if (!injected.first || isWithoutEffect(injected)) continue;
      const report = check(injected.input);
      // What queries that see no key have is a convention.
      const isConvention = report.nodes.some(({ note }) => note.includes('see no key'));
      if (report.verdict === 'match' && isConvention) continue;
      cases++;
      const { first } = injected;
      expect(report.first, `${edit.id} at ${edit.node}`).toEqual({
        node: first.slice(2),
        kind: first.startsWith('v:') ? 'value' : 'gradient',
      });
      if (report.causes.length > 0) named++;
    }
    expect(named).toBeGreaterThanOrEqual(38);
  }, 120_000);
});
