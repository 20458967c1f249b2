// The dictionary of names: every row is a mutant that there is, and the page that tells of them is its own.
import { expect, test } from 'vitest';
import { DISTANCES, SLOPES } from '../../src/compare/mistakes/names/alibi.ts';
import { BLOCKS, MASKS } from '../../src/compare/mistakes/names/masks.ts';
import { BIASES, CAPS, LATE, WAYS } from '../../src/compare/mistakes/names/masking.ts';
import { LOOKUPS } from '../../src/compare/mistakes/names/positionBias.ts';
import { OTHERS, TURNS } from '../../src/compare/mistakes/names/rope.ts';
import { OPTIONS } from '../../src/compare/mistakes/names/ropeOptions.ts';
import type { Row } from '../../src/compare/mistakes/table.ts';
import { NAMES } from '../../src/compare/mistakes/names/names.ts';
import { toText } from '../../src/engine/formula.ts';
import { toLatex } from '../../src/engine/printers/latex.ts';
import { largestMagnitude } from '../../src/engine/tensor.ts';
import { placed } from './namedMistakes.ts';

/** The tables of index formulas, and what is right in their place. */
const TABLES: readonly [title: string, right: string, rows: readonly Row[]][] = [
  [
    'Rotary embeddings: the turn, own · X + cross · (the other of its pair) + plus',
    'own = size * cos(θ); cross = size * side * sin(θ); plus = 0; θ = pos * freq; freq = base^(-2 * k / width); pos = first + t',
    TURNS,
  ],
  ['Rotary embeddings with options', 'the setup’s own', OPTIONS],
  [
    'Rotary embeddings: where they turn, and back',
    'Qh = TURN[Q]; Kh = TURN[K]; dQ = BACK[Q]; dK = BACK[K]',
    OTHERS,
  ],
  [
    'Masks: what is added to the scores',
    'none + hide(d < 0) of a causal mask, open + hide(window <= abs(d)) of a window; d = offset + j - i',
    MASKS,
  ],
  ['Masks in blocks of queries and keys: what is seen', '(0 <= d)', BLOCKS],
  ['ALiBi: the slope of a head', 'slope', SLOPES],
  ['ALiBi: the distance', 'abs(d)', DISTANCES],
  [
    'How a mask is applied: M',
    'not(hidden) * (unmasked + bias) + hide(hidden)',
    [...WAYS, ...CAPS, ...BIASES],
  ],
  ['Where a mask is applied', 'P = exp(M) / sum_i(exp(M))', LATE],
  ['Position biases', 'Zb = Z + at(w, bucket, B)', LOOKUPS],
];

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
  const escaped = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', '; ');
  const tables = TABLES.map(([title, right, rows]) =>
    [
      `### ${title}\n\nRight: \`${right}\`\n`,
      '| id | what is said | wrong |\n|---|---|---|',
      ...rows.map(
        ({ id, title: said, formula }) =>
          `| \`${id}\` | ${escaped(said)} | \`${escaped(formula)}\` |`,
      ),
    ].join('\n'),
  );
  const page = [
    '# Mistakes that have a name',
    'Made from the dictionary in `src/compare/mistakes/names/`; the setups are small ones of a test. A mistake without a name is told by its formula alone.',
    ...sections,
    '## Tables of index formulas',
    'What stands in braces is filled in by the setup: names of tensors, numbers. `hide(x)` is −∞ where x holds, `not(x)` 1 where it does not, `at(j, 0, x)` x at j = 0; `name := formula` is the right formula with that in the place of the name.',
    ...tables,
  ].join('\n\n');
  await expect(`${page}\n`).toMatchFileSnapshot('../../docs/mistakes.md');
});
