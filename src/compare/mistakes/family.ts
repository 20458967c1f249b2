// The family `formulas`: what no known mistake explains, as the exact formula that makes the person's tensor.
import { equals, type Formula, symbol, toText } from '../../engine/formula.ts';
import { printedIfShort } from '../../engine/printers/print.ts';
import { tensorName } from '../../engine/graph.ts';
import { dependsOn } from '../../engine/where.ts';
import type { Edit, Family, Site } from '../edits/edit.ts';
import { makeEdit, type Say } from '../edits/make.ts';
import { rightOf } from './forms.ts';
import { nameOf } from './names/names.ts';
import { hunt } from './hunt.ts';
import { keyOf } from '../program/program.ts';
import type { Mistake } from './mistake.ts';
import { withParts } from './place.ts';

/** So many of the formulas that reproduce a tensor are tried in the rest of the program. */
const MOST = 3;

export function formulas(site: Site, inPairs: boolean): Edit[] {
  if (!site.target || site.goal.key !== keyOf(site.node.id, site.kind)) return [];
  return hunt(site, inPairs)
    .slice(0, MOST)
    .map((mistake) => editOf(site, mistake));
}

const rivalOf = ({ other }: Mistake): string =>
  other
    ? ` The same numbers come of ${toText(other.formula)} (${other.slips.map(({ say }) => say).join('; ')}).`
    : '';

/** Letters and names that only the engine has: masks and rotations are written in other ways in programs. */
const OWN_NAMES = ['mask', 'seen', 'θ', 'past_K', 'past_V'];

/** The right formula as lines of a program, where its tensors are a program's. */
function linesOf(right: Formula, { graph }: Site): Partial<Pick<Say, 'numpy' | 'pytorch'>> {
  if (OWN_NAMES.some((name) => dependsOn(right, name))) return {};
  const lines = printedIfShort(right, graph.extents);
  return lines ? { numpy: lines.numpy, pytorch: lines.pytorch } : {};
}

/** The same mistake elsewhere: on the whole of what it was found in a slice of. */
export const sameMistake =
  (edit: Edit): Family =>
  (site) =>
    edit.formulas ? [withFormula(site, edit, sideOf(edit.formulas.wrong))] : [];

/** What stands right of an equation. */
const sideOf = (formula: Formula): Formula =>
  formula.kind === 'relation' ? formula.right : formula;

const withFormula = (site: Site, say: Say, formula: Formula): Edit => {
  const part = { node: site.node.id, kind: site.kind, formula };
  return makeEdit(site, part.node, part.kind, say, (program) => withParts(site, program, [part]));
};

/** What is said of a mistake, whose tensor is `name` and should be `rightSide`. */
export function sayOf(site: Site, mistake: Mistake, name: string, rightSide: Formula): Say {
  const left = symbol(name, site.node.axes);
  const right = equals(left, rightSide);
  const known = nameOf(mistake);
  const wrong = toText(equals(left, mistake.formula));
  return {
    id: known?.id ?? `formula-${mistake.slips.map(({ operator }) => operator).join('-')}`,
    title: `${name}: ${known?.title ?? mistake.slips.map((slip) => slip.say).join('; ')}`,
    why: `${known ? `${known.why} Here: ${mistake.slips[0].say}. ` : ''}${name} is exactly ${toText(mistake.formula)}.${rivalOf(mistake)}`,
    wrong,
    cost: mistake.cost,
    formulas: { wrong: equals(left, mistake.formula), right },
    right: toText(right),
    ...linesOf(right, site),
  };
}

/** A mistake as an edit of the program. */
const editOf = (site: Site, mistake: Mistake): Edit => {
  const name = tensorName(site.node.id, site.kind);
  return withFormula(site, sayOf(site, mistake, name, rightOf(site)), mistake.formula);
};
