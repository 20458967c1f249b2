// Tensors as text: pasted back they are the same numbers.
import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { setupText } from '../../src/extension/tensorFile/setupText.ts';
import { toCsvText, toJsonText, toNumpyText, toText } from '../../src/inspect/exportText.ts';
import { toSvg } from '../../src/inspect/svg.ts';
import { fromNested, tensor } from '../../src/engine/tensor.ts';
import { parseSetup } from '../../src/formats/parseSetup.ts';

const cube = tensor([2, 1, 2], [0.1, -2e-17, 3, 4]);
const special = tensor([2, 2], [NaN, Infinity, -Infinity, -0]);

describe('JSON', () => {
  test('is nested arrays, one line per row', () => {
    expect(toJsonText(cube)).toBe('[[[0.1, -2e-17]],\n [[3, 4]]]');
    expect(fromNested(JSON.parse(toJsonText(cube)) as number[][][])).toEqual(cube);
    expect(toJsonText(tensor([], [5]))).toBe('5');
    expect(toJsonText(tensor([2, 0], []))).toBe('[[],\n []]');
  });

  test('what JSON has no number for is written as a setup reads it', () => {
    const text = `{"head": "kq", "x": ${toJsonText(special)}, "weights": {"W_K": [[1],[1]], "W_Q": [[1],[1]]}}`;
    const { setup } = parseSetup(text);
    expect(setup?.x).toMatchObject({
      kind: 'inline',
      tensor: { data: Float64Array.of(NaN, Infinity, -Infinity, 0) },
    });
  });
});

describe('NumPy', () => {
  const python = process.env['ATTENTION_PYTHON'] ?? '/usr/bin/python3';
  test('evaluates to the same array', () => {
    const texts = [cube, special, tensor([0, 3], []), tensor([3], [1, 2, 3]), tensor([], [7])].map(
      toNumpyText,
    );
    const program = `import numpy as np, json\nfor a in [${texts.join(',\n')}]:\n  print(a.dtype, a.shape, [x.hex() for x in a.ravel().tolist()])`;
    const lines = execFileSync(python, ['-c', program], { encoding: 'utf8' }).trim().split('\n');
    expect(lines).toEqual([
      `float64 (2, 1, 2) ['${hex(0.1)}', '${hex(-2e-17)}', '0x1.8000000000000p+1', '0x1.0000000000000p+2']`,
      `float64 (2, 2) ['nan', 'inf', '-inf', '-0x0.0p+0']`,
      'float64 (0, 3) []',
      `float64 (3,) ['0x1.0000000000000p+0', '0x1.0000000000000p+1', '0x1.8000000000000p+1']`,
      `float64 () ['0x1.c000000000000p+2']`,
    ]);
  });

  const hex = (value: number): string =>
    execFileSync(python, ['-c', `print((${value}).hex())`], { encoding: 'utf8' }).trim();
});

describe('CSV', () => {
  test('one line per row, all digits', () => {
    expect(toCsvText(tensor([2, 2], [0.1, 1 / 3, -1e-20, NaN]))).toBe(
      '0.1,0.3333333333333333\n-1e-20,NaN\n',
    );
    expect(toText(tensor([3], [1, 2, 3]), 'csv')).toBe('1,2,3\n');
    expect(toText(tensor([2, 0], []), 'csv')).toBe('');
  });
});

describe('SVG', () => {
  test('has every cell, and names cannot break out', () => {
    const svg = toSvg({
      ...{
        title: '<script>&"',
        rows: 1,
        cols: 2,
        colours: ['rgb(1, 2, 3)', 'rgb(4, 5, 6)'],
        rowAxis: 'query j',
        colAxis: 'key i',
      },
      ...{ reduced: '', foreground: '#000', background: '#fff' },
      legend: { words: 'sequential, linear', low: '0', high: '1', colours: ['rgb(0, 0, 0)'] },
    });
    expect(svg.match(/fill="rgb\((1|4), /g)).toHaveLength(2);
    expect(svg).toContain('&lt;script&gt;&amp;&quot;');
    expect(svg).not.toContain('<script>');
    expect(svg).toContain('sequential, linear');
  });
});

describe('a tensor of a file as a setup', () => {
  test('the setup reads the file and has weights that fit', () => {
    const { setup, problems } = parseSetup(setupText('data/a.npz', 'x "1"', [5, 8]));
    expect(problems).toEqual([]);
    expect(setup).toMatchObject({
      head: 'kq',
      x: { kind: 'file', file: 'data/a.npz', key: 'x "1"' },
    });
    expect(parseSetup(setupText('a.npy', null, [2, 5, 300])).problems).toEqual([]);
  });

  test('only matrices, and batches of them, are tokens', () => {
    expect(() => setupText('a.npy', null, [3])).toThrow('this tensor has 1');
  });
});
