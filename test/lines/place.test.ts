import { expect, test } from 'vitest';
import { placeText, placeWords } from '../../src/lines/recorded/place.ts';

test('cells of a notebook are counted as people count them, lines within them', () => {
  expect(placeText({ file: 'mha.ipynb', cell: 2, line: 4 })).toBe('mha.ipynb cell 3:4');
  expect(placeWords({ file: 'mha.ipynb', cell: 2, line: 4 })).toBe('cell 3, line 4');
  expect(placeText({ file: 'mha.py', line: 4 })).toBe('mha.py:4');
  expect(placeWords({ file: 'mha.py', line: 4 })).toBe('mha.py, line 4');
});
