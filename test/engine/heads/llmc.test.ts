// Causal multi-head attention of llm.c (attention_forward, attention_backward): its values and gradients.
import { describe, expect, test } from 'vitest';
import { buildGraph } from '../../../src/engine/heads/build.ts';
import { type Run, run } from '../../../src/engine/run.ts';
import { type Tensor, tensor } from '../../../src/engine/tensor.ts';
import '../../support/allclose.ts';
import { headConfig } from '../../support/configs.ts';
import { missingVectors, readVectors } from '../../support/vectors.ts';

/** Row-major: inp and dinp (B, T, 3C), preatt, att and their gradients (B, NH, T, T), out and dout (B, T, C). */
interface Case {
  readonly B: number;
  readonly T: number;
  readonly C: number;
  readonly NH: number;
  readonly [array: string]: number | number[];
}

const FILE = 'llmc_attention_vectors.json';
const missing = missingVectors(FILE);

/** The third of inp or dinp that holds the queries (0), keys (1) or values (2). */
function third({ B, T, C }: Case, all: number[], part: number): Tensor {
  const data = Array.from({ length: B * T * C }, (_, at) => {
    const token = Math.floor(at / C);
    return all[token * 3 * C + part * C + (at % C)];
  });
  return tensor([B, T, C], data);
}

function runCase(own: Case): Run {
  const { B, T, C, NH, inp, dout } = own;
  const [Q, K, V] = [0, 1, 2].map((part) => third(own, inp as number[], part));
  const given = { heads: NH, kvHeads: NH, mask: 'causal', start: { Q, K, V } } as const;
  const loss = { kind: 'upstream', G: tensor([B, T, C], dout as number[]) } as const;
  const {
    x: _x,
    xPrime: _xPrime,
    ...config
  } = headConfig('multihead', { ...given, loss, weights: {} });
  return run(buildGraph(config));
}

if (missing) test.skip(missing);
else {
  const { cases } = readVectors(FILE) as { cases: Case[] };
  const named = cases.map((own): [string, Case] => {
    const { B, T, C, NH, seed } = own;
    return [`batch ${B}, ${T} tokens, width ${C}, ${NH} heads, seed ${String(seed)}`, own];
  });

  describe.each(named)('%s', (_, own) => {
    const { values, gradients } = runCase(own);
    const array = (name: string): number[] => own[name] as number[];
    // llm.c computes in float32; the numbers agree to a few of its units, 6e-8 of the largest entry, per sum.
    const closeness = { dtype: 'float32', tolerance: 1e-5 } as const;

    /** Above the diagonal preatt and datt are never written: those entries are not compared. */
    const seen = (name: string, found: Tensor): Tensor => {
      const theirs = array(name);
      const data = found.data.map((value, at) => {
        const [query, key] = [Math.floor(at / own.T) % own.T, at % own.T];
        return key > query ? value : theirs[at];
      });
      return tensor(found.shape, data);
    };
    const expectSeen = (name: string, found: Tensor): void => {
      // Measured by their numbers: what stands above the diagonal of ours must not count.
      const largest = Math.max(...array(name).map(Math.abs));
      expect(found).toBeAllclose(seen(name, found), { ...closeness, largest });
    };

    test('preatt: scaled scores', () => expectSeen('preatt', values.get('Z')!));

    test('att: weights', () => {
      const P = values.get('P')!;
      expect(P).toBeAllclose(tensor(P.shape, array('att')), closeness);
    });

    test('out', () => {
      const y = values.get('y')!;
      expect(y).toBeAllclose(tensor(y.shape, array('out')), closeness);
    });

    test('datt: gradient at the weights, on and below the diagonal', () => {
      expectSeen('datt', gradients.get('P')!);
    });

    test('dpreatt: gradient at the scaled scores, 0 above the diagonal', () => {
      const dZ = gradients.get('Z')!;
      expect(dZ).toBeAllclose(tensor(dZ.shape, array('dpreatt')), closeness);
    });

    test.each(['Q', 'K', 'V'])('dinp: d%s', (id) => {
      const part = 'QKV'.indexOf(id);
      expect(gradients.get(id)!).toBeAllclose(third(own, array('dinp'), part), closeness);
    });
  });
}
