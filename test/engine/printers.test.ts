// Formulas as lines of NumPy and PyTorch, and in LaTeX; test/conformance/printed.mjs runs them.
import { describe, expect, test } from 'vitest';
import { type Formula, toText } from '../../src/engine/formula.ts';
import { operationNodes } from '../../src/engine/graph.ts';
import { buildGraph } from '../../src/engine/heads/build.ts';
import { printed } from '../../src/engine/printers/print.ts';
import type { HeadConfig } from '../../src/engine/config.ts';
import { headConfig } from '../support/configs.ts';

/** The formula of a node's value, or of what it passes to an operand. */
function formulaOf(config: HeadConfig, node: string, operand?: string): [Formula, object] {
  const graph = buildGraph(config);
  const own = operationNodes(graph).find(({ id }) => id === node)!;
  const { forward, backward } = own.operation.formula({ output: node, inputs: own.inputs });
  const formula = operand === undefined ? forward : backward[own.inputs.indexOf(operand)];
  return [formula, printed(formula, graph.extents)];
}

const qkv = headConfig('qkv', { mask: 'causal' });
const multi = headConfig('multihead', { softcap: 5 });

describe('a line that computes it', () => {
  test.each<[string, HeadConfig, string, string | undefined, string, string]>([
    ['a projection', qkv, 'K', undefined, 'K = x @ W_K', 'K = x @ W_K'],
    [
      'a weight',
      qkv,
      'K',
      'W_K',
      'dW_K = x.swapaxes(-1, -2) @ dK',
      'dW_K = x.transpose(-1, -2) @ dK',
    ],
    ['scores', qkv, 'S', undefined, 'S = Q @ K.swapaxes(-1, -2)', 'S = Q @ K.transpose(-1, -2)'],
    ['a scale', qkv, 'Z', undefined, 'Z = 2 ** -0.5 * S', 'Z = 2 ** -0.5 * S'],
    [
      'softmax',
      qkv,
      'P',
      undefined,
      'E = np.exp(M - M.max(axis=-1, keepdims=True)); P = E / E.sum(axis=-1, keepdims=True)',
      'P = torch.softmax(M, dim=-1)',
    ],
    [
      'softmax, backward',
      qkv,
      'P',
      'M',
      'dM = P * (dP - (dP * P).sum(axis=-1, keepdims=True))',
      'dM = P * (dP - (dP * P).sum(dim=-1, keepdim=True))',
    ],
    [
      'heads apart',
      multi,
      'Qh',
      undefined,
      'Qh = Q.reshape(4, 4, 2).transpose(1, 0, 2)',
      'Qh = Q.reshape(4, 4, 2).permute(1, 0, 2)',
    ],
    [
      'the query heads of a group',
      multi,
      'S',
      'Kh',
      'dKh = np.einsum("rgji,rgja->ria", dS.reshape(2, 2, 4, 5), Qh.reshape(2, 2, 4, 2))',
      'dKh = torch.einsum("rgji,rgja->ria", dS.reshape(2, 2, 4, 5), Qh.reshape(2, 2, 4, 2))',
    ],
    [
      'softcap',
      multi,
      'Z',
      undefined,
      'Z = 5 * np.tanh(2 ** -0.5 * S / 5)',
      'Z = 5 * torch.tanh(2 ** -0.5 * S / 5)',
    ],
  ])('%s', (_, config, node, operand, numpy, pytorch) => {
    const [, lines] = formulaOf(config, node, operand);
    expect(lines).toMatchObject({ numpy, pytorch });
  });
});

test('LaTeX', () => {
  expect(formulaOf(qkv, 'P', 'M')[1]).toMatchObject({
    latex:
      '\\mathrm{d}M_{j,i} \\mathrel{+}= \\sum_{l} \\mathrm{d}P_{j,l} \\, P_{j,l} \\, \\left(\\delta_{l,i} - P_{j,i}\\right)',
  });
  expect(formulaOf(qkv, 'P')[1]).toMatchObject({
    latex: 'P_{j,i} = \\frac{\\exp\\left(M_{j,i}\\right)}{\\sum_{l} \\exp\\left(M_{j,l}\\right)}',
  });
});

test('a mask in LaTeX is a bracket of Iverson', () => {
  expect(formulaOf(qkv, 'M', 'Z')[1]).toMatchObject({
    latex: '\\mathrm{d}Z_{j,i} \\mathrel{+}= \\left[i \\le j\\right] \\, \\mathrm{d}M_{j,i}',
  });
});

test('the text is the one that is shown', () => {
  const [formula, { text }] = formulaOf(multi, 'Z', 'S') as [Formula, { text: string }];
  expect(text).toBe(toText(formula));
});
