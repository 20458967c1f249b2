// What the editor's marks, lenses and hovers say, without an editor.
import { describe, expect, test } from 'vitest';
import {
  joinArguments,
  splitArguments,
  takesArguments,
} from '../../../src/extension/lines/arguments.ts';
import { heatmap, shortNumber } from '../../../src/extension/lines/heatmap.ts';
import { hoverText } from '../../../src/extension/lines/hoverText.ts';
import { fixTitle, lineEdit } from '../../../src/extension/lines/lineEdit.ts';
import { attentionLabels } from '../../../src/extension/lines/attentionLabels.ts';
import { marksOf, wrongFirst } from '../../../src/extension/lines/markText.ts';
import { type Edit, lineAfter } from '../../../src/extension/lines/movedLines.ts';
import { offersOf } from '../../../src/extension/lines/seems.ts';
import { gridsOf, partOf } from '../../../src/lineRun/grid.ts';
import type { Detail } from '../../../src/lineRun/details.ts';
import type { Line } from '../../../src/lines/tell/result.ts';
import { tensor } from '../../../src/engine/tensor.ts';

describe('where a check is offered', () => {
  const names = (text: string): string[] => offersOf(text).map(({ name }) => name);

  test('above functions and classes that weigh and multiply', () => {
    const text = [
      'import torch',
      'def plain(a):',
      '    return a @ a',
      'class Attention(Module):',
      '    def forward(self, q, k, v):',
      '        p = torch.softmax(',
      '            q @ k.transpose(-2, -1), dim=-1)',
      '        return p @ v',
      '',
      'def later(q, k, v):',
      '    e = np.exp(np.einsum("id,jd->ij", q, k))',
      '    return e / e.sum() ',
    ].join('\n');
    expect(offersOf(text)).toEqual([
      { line: 3, endLine: 7, name: 'Attention' },
      { line: 9, endLine: 11, name: 'later' },
    ]);
  });

  test('above a backward pass by hand, and above tests of what is imported', () => {
    const text = [
      'def forward(q, k, v):',
      '    return np.exp(q @ k.T) @ v',
      'def backward(do, q, k, v, p):',
      '    return p.T @ do',
      'def other(a):',
      '    return a @ a',
    ].join('\n');
    expect(names(text).toSorted()).toEqual(['backward', 'forward']);
    const tested = 'from mha import attention\n\ndef test_it():\n    attention(1)\n';
    expect(offersOf(tested, '/a/test_mha.py')).toEqual([{ line: 2, endLine: 3, name: '' }]);
    expect(offersOf(tested, '/a/mha.py')).toEqual([]);
    expect(
      offersOf(`${tested}if __name__ == "__main__":\n    test_it()\n`, '/test_mha.py'),
    ).toEqual([]);
  });

  test('above a script, once', () => {
    expect(offersOf('"""Doc."""\nimport numpy as np\np = np.exp(q @ k.T)\ny = p @ v\n')).toEqual([
      { line: 0, endLine: 4, name: '' },
    ]);
  });

  test('of sums in the manner of C', () => {
    const text = [
      'def attention(out, x):',
      '    for t in range(T):',
      '        for i in range(C):',
      '            s += q[t][i] * k[t][i]',
      '        out[t] = math.exp(s)',
    ].join('\n');
    expect(names(text)).toEqual(['attention']);
  });

  test('not where comments say so, decorators stand, or only one of both is done', () => {
    expect(names('def f(a):\n    # softmax of q @ k\n    return a + 1\n')).toEqual([]);
    expect(names('def f(a):\n    @cached\n    def g(): return softmax(a)\n')).toEqual([]);
    expect(names('def f(a):\n    return a @ a.T\n')).toEqual([]);
    expect(names(`x = 1\n${'# softmax(q @ k)\n'.repeat(90_000)}`)).toEqual([]);
  });

  test('in a file of many lines at once', () => {
    const block = 'def f(q, k):\n    p = softmax(q @ k.T)\n    return p\n\n';
    const before = process.cpuUsage();
    expect(offersOf(block.repeat(5000))).toHaveLength(5000);
    // Reading the rest of the file anew for every function takes minutes.
    expect(process.cpuUsage(before).user).toBeLessThan(30e6);
  });
});

test('attentions of a program are told apart by number, function and call', () => {
  const at = { file: 'm.py', line: 9, function: 'MHA.forward', heads: 2 };
  expect(attentionLabels([at, { ...at, heads: 1 }, { ...at, line: 3, function: '' }])).toEqual([
    { label: '1: MHA.forward, call 1 of 2', description: '2 heads, m.py, line 9' },
    { label: '2: MHA.forward, call 2 of 2', description: '1 head, m.py, line 9' },
    { label: '3: outside of functions', description: '2 heads, m.py, line 3' },
  ]);
});

describe('arguments', () => {
  test.each([
    ['--n 3  --name "a b"', ['--n', '3', '--name', 'a b']],
    [String.raw`a\ b 'c"d' ""`, ['a b', 'c"d', '']],
    ['', []],
    [String.raw`--x="1 2"`, ['--x=1 2']],
  ])('%s', (line, words) => {
    expect(splitArguments(line)).toEqual(words);
    expect(splitArguments(joinArguments(words))).toEqual(words);
  });

  test('are taken by programs that read them', () => {
    expect(takesArguments('args = sys.argv[1:]')).toBe(true);
    expect(takesArguments('import argparse')).toBe(true);
    expect(takesArguments('import numpy')).toBe(false);
  });
});

const line = (words: Partial<Line>): Line => ({
  ...{ file: 'a.py', line: 3, endLine: 3, column: 1, endColumn: 9, name: 'ds' },
  ...{ node: 'S', kind: 'gradient', status: 'match', note: '' },
  ...words,
});
const detail = (words: Partial<Line>, more: Partial<Detail> = {}): Detail => {
  const own = line(words);
  const place =
    own.node === null || own.kind === 'other' ? null : { node: own.node, kind: own.kind };
  return { line: own, place, computes: true, formulas: [], grids: null, ...more };
};

describe('marks', () => {
  test('say node and verdict, what is wrong first', () => {
    const all = [
      detail({ node: 'Q', kind: 'value' }),
      detail({ node: 'S', status: 'diverges' }),
      detail(
        { line: 4, node: null, kind: 'other', status: 'consequence', name: 'dq' },
        {
          place: { node: 'Q', kind: 'gradient' },
        },
      ),
      detail({ line: 5, node: 'P', kind: 'value', note: 'row maxima of Z' }),
      detail({ line: 6 }, { computes: false }),
      detail({ line: 7, node: null, kind: 'other', status: 'unaligned' }),
    ];
    expect(marksOf(all)).toEqual([
      { line: 2, text: 'dS ✗ · Q ✓', kind: 'wrong' },
      { line: 3, text: 'dQ ↳', kind: 'doubtful' },
      { line: 4, text: 'row maxima of Z ✓', kind: 'right' },
    ]);
  });

  test('name all that a fused tensor is, and no result that has no name', () => {
    const marks = marksOf([
      detail({ line: 1, node: 'W_Q', kind: 'value', note: 'W_Q, W_K, W_V' }),
      detail({ line: 2, node: null, name: 'return', status: 'consequence' }),
    ]);
    expect(marks.map(({ text }) => text)).toEqual(['W_Q, W_K, W_V ✓', '↳']);
  });

  test('have what is wrong first, as hovers do', () => {
    const all = [detail({ node: 'Q' }), detail({ node: 'K', status: 'diverges' })];
    expect(wrongFirst(all).map((each) => each.line.node)).toEqual(['K', 'Q']);
  });

  test('are few in one line', () => {
    const nodes = ['Q', 'K', 'V', 'P', 'y', 'x'];
    const [mark] = marksOf(nodes.map((node) => detail({ node, kind: 'value' })));
    expect(mark.text).toBe('Q ✓ · K ✓ · V ✓ · P ✓ …');
  });
});

describe('lines after edits', () => {
  const edit = (start: number, end: number, text: string): Edit => ({
    ...{ start, end, breaks: text.split('\n').length - 1 },
    isWholeLines: /\n$|^$/.test(text),
  });

  test('move with whole lines, and are lost where they were edited', () => {
    expect(lineAfter(5, [edit(2, 2, 'a\nb\n')])).toBe(7);
    expect(lineAfter(2, [edit(2, 2, 'a\n')])).toBe(3);
    expect(lineAfter(1, [edit(2, 2, 'a\n')])).toBe(1);
    expect(lineAfter(5, [edit(2, 4, '')])).toBe(3);
    expect(lineAfter(4, [edit(2, 4, '')])).toBe(2);
    expect(lineAfter(3, [edit(2, 4, '')])).toBeNull();
    expect(lineAfter(2, [edit(2, 2, 'x')])).toBeNull();
    expect(lineAfter(3, [edit(2, 2, 'x\ny')])).toBe(4);
  });
});

describe('fixes', () => {
  const apply = (before: string, after: string): string => {
    const { start, end, lines } = lineEdit(before, after);
    const all = before.split('\n');
    return [...all.slice(0, start), ...lines, ...all.slice(end)].join('\n');
  };

  test.each([
    ['a\nb\nc\n', 'a\nx\nc\n'],
    ['a\nb\n', 'a\nb\nc\n'],
    ['a\nb\nb\nc', 'a\nb\nc'],
    ['', 'a\n'],
    ['a\na\na', 'a\na'],
  ])('%j becomes %j', (before, after) => {
    expect(apply(before, after)).toBe(after);
  });

  test('are named by what they write and what proves it', () => {
    const verified = { tensors: 31, seeds: 3, sizes: 1 };
    expect(fixTitle({ after: '    dq = ds  @ k', verified })).toBe(
      'Fix: dq = ds @ k (verified: 31 tensors, 3 seeds, 1 size)',
    );
    expect(fixTitle({ after: 'x'.repeat(200), verified })).toHaveLength(105);
    expect(fixTitle({ after: '  dW = x.T @ dk / d\n  dx = dk @ W.T / d\n', verified })).toMatch(
      /^Fix: dW = x\.T @ dk \/ d and 1 more line \(/,
    );
  });
});

describe('the numbers of a wrong line', () => {
  test('are shown at the matrix that is farthest off', () => {
    const own = tensor([2, 1, 2], [1, 2, 3, 9]);
    const grids = gridsOf(own, tensor([2, 1, 2], [1, 2, 3, 4]));
    expect(grids).toMatchObject({
      slice: '[1]',
      yours: { rows: 1, cols: 2, data: [3, 9] },
      difference: { data: [0, 5] },
      worst: { index: [1, 0, 1], yours: 9, reference: 4 },
    });
  });

  test('are means where there are many, and of differences the largest', () => {
    const size = 16;
    const own = tensor(
      [size, size],
      Float64Array.from({ length: size * size }, (_, at) => +(at === 0)),
    );
    const grids = gridsOf(own, tensor([size, size], new Float64Array(size * size)));
    expect(grids).toMatchObject({ step: [2, 2], yours: { rows: 8, cols: 8 } });
    expect(grids?.yours.data[0]).toBe(0.25);
    expect(grids?.difference?.data[0]).toBe(1);
  });

  test('are told of infinities and of what is not a number', () => {
    const grids = gridsOf(tensor([3], [NaN, Infinity, 1]), tensor([3], [0, Infinity, 1]));
    expect(grids?.worst?.index).toEqual([0]);
    expect(grids?.difference?.data).toEqual([NaN, 0, 0]);
    expect([NaN, -Infinity, 0, 1e-9, 12345, 0.123456, -0.0046].map(shortNumber)).toEqual([
      ...['NaN', '−∞', '0', '1e−9', '1e4', '0.12', '−5e−3'],
    ]);
  });

  test('of one head are held against that head', () => {
    const whole = tensor([2, 1, 2], [1, 2, 5, 6]);
    expect(partOf(whole, tensor([1, 2], [5, 9]), [])?.data).toEqual(Float64Array.of(5, 6));
    expect(partOf(whole, tensor([1, 2], [5, 6]), [0])?.data).toEqual(Float64Array.of(1, 2));
    expect(partOf(whole, tensor([3], [1, 2, 3]), [])).toBeNull();
  });

  test('are drawn in colours that read on their ground', () => {
    const grids = gridsOf(tensor([2, 2], [1, -1, 0, NaN]), tensor([2, 2], [0, 0, 0, 0]));
    for (const ground of ['dark', 'light'] as const) {
      const svg = heatmap(grids!, ground);
      expect(svg.match(/<rect/g)).toHaveLength(12);
      expect(svg).toContain('yours − reference');
    }
  });
});

describe('a hover', () => {
  const context = {
    ground: 'dark',
    cause: null,
    isTold: false,
    isStale: false,
    goTo: 'command:x',
  } as const;

  test('of a right line is short', () => {
    const text = hoverText(detail({}, { formulas: ['dS = dZ'] }), context);
    expect(text).toContain('**✓ dS** `ds`: right');
    expect(text).toContain('dS = dZ');
    expect(text).not.toContain('![');
  });

  test('of a wrong one has the numbers, and says where no cause is known', () => {
    const grids = gridsOf(tensor([2], [1, 2]), tensor([2], [1, 1]));
    const text = hoverText(detail({ status: 'diverges' }, { grids }), context);
    expect(text).toContain('No known mistake gives these numbers');
    expect(text).toContain('data:image/svg+xml;base64,');
    expect(text).toMatch(/Farthest at .*2 instead of 1/);
  });

  test('shows what a program says as text', () => {
    const text = hoverText(
      detail({ note: '[a](command:evil) <img src=x> **b**', name: '`x`' }),
      context,
    );
    expect(text).not.toContain('[a](command:evil)');
    expect(text).not.toMatch(/(?<!\\)<img/);
  });
});
