// The dictionary of names: every row is a mutant that there is, and the page that tells of them is its own.
import { expect, test } from 'vitest';
import { NAMES } from '../../src/compare/mistakes/names/names.ts';
import { toText } from '../../src/engine/formula.ts';
import { toLatex } from '../../src/engine/printers/latex.ts';
import { largestMagnitude } from '../../src/engine/tensor.ts';
import { placed } from './namedMistakes.ts';

test('no id twice', () => {
  expect(new Set(NAMES.map(({ id }) => id)).size).toBe(NAMES.length);
});

test.each(NAMES)('$id is a mutant, and differs from what is right', (row) => {
  const found = placed(row);
  expect(found).not.toBeNull();
  const { made, state } = found!;
  const right = state.gradient(row.shown.tensor.slice(1));
  const off = made.data.map((value, at) => Math.abs(value - right.data[at]));
  expect(Math.max(...off)).toBeGreaterThan(1e-3 * largestMagnitude(right));
});

test('docs/mistakes.md tells of each', async () => {
  const sections = NAMES.map((row) => {
    const { wrong, right } = placed(row)!;
    const source = row.source ? ` Met in ${row.source}.` : '';
    return [
      `## ${row.shown.tensor}: ${row.title}`,
      `\`${row.id}\`. ${row.why}${source}`,
      '| | |\n|---|---|',
      `| wrong | $${toLatex(wrong)}$ |\n| right | $${toLatex(right)}$ |`,
      `\`\`\`text\nwrong: ${toText(wrong)}\nright: ${toText(right)}\n\`\`\``,
      `As it is written, in NumPy:\n\n\`\`\`python\n${row.example.replaceAll('; ', '\n')}\n\`\`\``,
    ]
      .join('\n\n')
      .replace('|---|---|\n\n', '|---|---|\n');
  });
  const page = [
    '# Mistakes that have a name',
    'Made from the dictionary in `src/compare/mistakes/names/`; the setups are small ones of a test. A mistake without a name is told by its formula alone.',
    ...sections,
  ].join('\n\n');
  await expect(`${page}\n`).toMatchFileSnapshot('../../docs/mistakes.md');
});
