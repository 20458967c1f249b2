// The ways in which people leave an option of a rotation out, or take another.
import type { Rope } from '../../../engine/config.ts';
import { map, type Tensor } from '../../../engine/tensor.ts';
import { type Row, rowsOf, withWords } from '../table.ts';

/** For a rotation that base and pairing alone do not tell: the options that are otherwise. */
export const OPTIONS = rowsOf(`
turn rope-pairing: rotated in {other} pairs
  pairing = other
  | The setup pairs features the other way ({pairing}).
turn rope-partial [features]: rotated in all features
  features = none
  | Only the first {features} features of a head should turn.
turn rope-frequencies [invFreq]: rotated by the usual frequencies
  invFreq = none
  | The setup gives frequencies of its own.
turn rope-scaling-missing [scaling]: rotated by the frequencies as they are, unscaled
  scaling = none
  | The scaling of the frequencies ({scaling}) is left out.
turn rope-scaling-kind [scaling !linear]: rotated by frequencies that are all divided by the factor
  scaling = linear
  | The scaling is {scaling}, here it is linear.
turn rope-magnitude-missing [yarn]: rotated without the magnitude of YaRN
  magnitude = 1
  | Cosine and sine are not multiplied by the attention factor.
turn rope-positions-missing [positions]: rotated by positions that count from the first token on
  positions = none; queryPositions = none; sections = none
  | The setup gives positions of its own (padding, packed sequences, images).
turn rope-position [positions !sections]: rotated by positions that are one too large
  positions = positions + 1
  | All positions are shifted, as where they count from 1.
turn rope-sections [sections]: rotated by frequencies that {sections}
  sectionFrequencies = other
  | Sections either share one row of frequencies or have their own.
`);

const later = (tensor: Tensor | undefined): Tensor | undefined =>
  tensor && map(tensor, (value) => value + 1);

/** What the changes are that leave nothing out. */
const CHANGES: Readonly<Record<string, (rope: Rope) => Partial<Rope>>> = {
  'pairing = other': ({ pairing }) => ({ pairing: pairing === 'half' ? 'interleaved' : 'half' }),
  'scaling = linear': ({ scaling }) => ({ scaling: { kind: 'linear', factor: scaling!.factor } }),
  'magnitude = 1': ({ scaling }) =>
    scaling?.kind === 'yarn' ? { scaling: { ...scaling, magnitude: 1 } } : {},
  'positions = positions + 1': ({ positions, queryPositions }) => ({
    positions: later(positions),
    queryPositions: later(queryPositions),
  }),
  'sectionFrequencies = other': ({ sectionFrequencies }) => ({
    sectionFrequencies: sectionFrequencies === 'own' ? 'shared' : 'own',
  }),
};

const changed = (rope: Rope, text: string): Partial<Rope> =>
  Object.assign(
    {},
    ...text
      .split('; ')
      .map((each) => CHANGES[each]?.(rope) ?? { [each.replace(' = none', '')]: undefined }),
  ) as Partial<Rope>;

export function otherOptions(rope: Rope): { row: Row; change: Partial<Rope> }[] {
  const { pairing, features, invFreq, scaling, positions, sections, sectionFrequencies } = rope;
  const rows = withWords(OPTIONS, {
    ...{ pairing, features, invFreq: invFreq !== undefined, positions: positions !== undefined },
    ...{ other: pairing === 'half' ? 'interleaved' : 'half-split', scaling: scaling?.kind },
    ...{ linear: scaling?.kind === 'linear', yarn: scaling?.kind === 'yarn' },
    sections:
      sections &&
      (sectionFrequencies === 'own'
        ? 'run on from section to section'
        : 'begin again in each section'),
  });
  return rows.map((row) => ({ row: { ...row, formula: '' }, change: changed(rope, row.formula) }));
}
