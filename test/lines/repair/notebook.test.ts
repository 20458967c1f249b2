// A fix of a notebook: told of its cells, and as a patch of its file that changes only the lines that change.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { notebookFix } from '../../../src/lines/repair/notebook.ts';

const VERIFIED = { tensors: 3, seeds: 3, sizes: 2 };

const notebook = (sources: readonly (string | readonly string[])[]): string => {
  const cells = sources.map((source, n) => ({
    ...{ cell_type: n === 0 ? 'markdown' : 'code', metadata: {}, outputs: [] },
    source,
  }));
  return `${JSON.stringify({ cells, metadata: { 'a "b" [': '{' }, nbformat: 4 }, null, 1)}\n`;
};

const CELLS = [
  { cell: 1, source: '%matplotlib inline\ns = q @ k.T  # é', firstLine: 1 },
  { cell: 2, source: 'print(s)\n', firstLine: 3 },
];
const BEFORE = '# %% cell 1\npass\ns = q @ k.T  # é\n# %% cell 2\nprint(s)\n\n';

function patched(json: string, diff: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'notebook-fix-'));
  writeFileSync(join(folder, 'n.ipynb'), json);
  writeFileSync(join(folder, 'p'), diff);
  execFileSync('git', ['apply', 'p'], { cwd: folder });
  return readFileSync(join(folder, 'n.ipynb'), 'utf8');
}

test('a line of a cell: its magics stay, the patch applies', () => {
  const json = notebook(['# title', ['%matplotlib inline\n', 's = q @ k.T  # é'], 'print(s)\n']);
  const after = BEFORE.replace('q @ k.T', 'q @ k.T / 2');
  const fix = notebookFix('n.ipynb', json, CELLS, BEFORE, after, ['factor'], VERIFIED)!;
  expect(fix).toMatchObject({
    cell: 1,
    line: 2,
    before: 's = q @ k.T  # é',
    after: 's = q @ k.T / 2  # é',
  });
  expect(fix.cells).toEqual([{ cell: 1, source: '%matplotlib inline\ns = q @ k.T / 2  # é' }]);
  expect(fix.source).toBe(json.replace('q @ k.T', 'q @ k.T / 2'));
  expect(patched(json, fix.diff)).toBe(fix.source);
});

test('a line more in a cell that is one text, and one in another cell', () => {
  const json = notebook(['# title', '%matplotlib inline\ns = q @ k.T  # é', ['print(s)\n']]);
  const after = BEFORE.replace('# é\n', '# é\ns /= "2"\n').replace('print(s)', 'print(2)');
  const fix = notebookFix('n.ipynb', json, CELLS, BEFORE, after, ['missing'], VERIFIED)!;
  const sources = (JSON.parse(fix.source) as { cells: { source: string | string[] }[] }).cells.map(
    ({ source }) => [source].flat().join(''),
  );
  expect(sources).toEqual([
    '# title',
    '%matplotlib inline\ns = q @ k.T  # é\ns /= "2"',
    'print(2)\n',
  ]);
  expect(patched(json, fix.diff)).toBe(fix.source);
});

test('a line less; and a file that is no notebook of this version', () => {
  const json = notebook(['# title', ['%matplotlib inline\n', 's = q @ k.T  # é'], 'print(s)\n']);
  const after = BEFORE.replace('s = q @ k.T  # é\n', '');
  const fix = notebookFix('n.ipynb', json, CELLS, BEFORE, after, ['superfluous'], VERIFIED)!;
  expect(fix.cells).toEqual([{ cell: 1, source: '%matplotlib inline' }]);
  expect(patched(json, fix.diff)).toBe(fix.source);
  const old = JSON.stringify({ worksheets: [JSON.parse(json)] });
  expect(notebookFix('n.ipynb', old, CELLS, BEFORE, after, ['x'], VERIFIED)).toBeNull();
});
