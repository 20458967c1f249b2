// The family `formulas`: what no known mistake explains, as the exact formula that makes the person's tensor.
import { Evaluator, type Read } from '../../engine/evaluate.ts';
import { collapsed } from '../../engine/collapse.ts';
import { equals, type Formula, symbol, toText } from '../../engine/formula.ts';
import { printedIfShort } from '../../engine/printers/print.ts';
import { nodeOf, tensorName } from '../../engine/graph.ts';
import { type Tensor, zeros } from '../../engine/tensor.ts';
import { vjpOf } from '../../engine/vjp.ts';
import { dependsOn } from '../../engine/where.ts';
import type { Edit, Family, Site } from '../edits/edit.ts';
import { gradientEdit, type Say, stepEdit } from '../edits/make.ts';
import type { Step } from '../program.ts';
import { rightFormula } from './forms.ts';
import { nameOf } from './names/names.ts';
import { extentsOf, hunt, readOf } from './hunt.ts';
import type { Mistake } from './mistake.ts';

/** So many of the formulas that reproduce a tensor are tried in the rest of the program. */
const MOST = 3;

export const formulas: Family = (site) => {
  if (!site.target || site.goal.key !== keyOfSite(site)) return [];
  return hunt(site)
    .slice(0, MOST)
    .map((mistake) => editOf(site, mistake));
};

const keyOfSite = ({ node, kind }: Site): string => `${kind === 'value' ? 'v' : 'g'}:${node.id}`;

const rightOf = ({ graph, node, kind }: Site): Formula =>
  collapsed(rightFormula(graph, node.id, kind) ?? symbol(node.id, node.axes));

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
    edit.formulas ? [placed(site, edit, edit.formulas.wrong)] : [];

/** A mistake as an edit of the program. */
function editOf(site: Site, mistake: Mistake): Edit {
  const { node, kind } = site;
  const name = tensorName(node.id, kind);
  const left = symbol(name, node.axes);
  const right = equals(left, rightOf(site));
  const known = nameOf(mistake);
  const wrong = toText(equals(left, mistake.formula));
  const say: Say = {
    id: known?.id ?? `formula-${mistake.slips.map(({ operator }) => operator).join('-')}`,
    title: `${name}: ${known?.title ?? mistake.slips.map((slip) => slip.say).join('; ')}`,
    why: `${known ? `${known.why} Here: ${mistake.slips[0].say}. ` : ''}${name} is exactly ${toText(mistake.formula)}.${rivalOf(mistake)}`,
    wrong,
    cost: mistake.cost,
    formulas: { wrong: equals(left, mistake.formula), right },
    right: toText(right),
    ...linesOf(right, site),
  };
  return placed(site, say, equals(left, mistake.formula));
}

function placed(site: Site, say: Say, wrong: Formula): Edit {
  const { node, kind } = site;
  if (kind === 'value') return stepEdit(site, node.id, say, () => stepOf(site, wrong));
  return gradientEdit(site, node.id, say, (_, state) =>
    new Evaluator(readOf({ ...site, state }), extentsOf(site)).tensor(wrong, node.axes),
  );
}

/** The step of a value that is made by the mistaken formula, and differentiated as such. */
function stepOf(site: Site, formula: Formula): Step {
  const { graph, node } = site;
  const used = graph.nodes
    .map(({ id }) => id)
    .filter((id) => id !== node.id && dependsOn(formula, id));
  const given = readOf(site);
  const evaluator = (inputs: readonly Tensor[]): Evaluator => {
    const read: Read = (name) => {
      const n = used.indexOf(name);
      return n < 0 ? given(name) : { axes: nodeOf(graph, name).axes, tensor: inputs[n] };
    };
    return new Evaluator(read, extentsOf(site));
  };
  return {
    inputs: used,
    operation: {
      name: 'formula',
      forward: (inputs) => evaluator(inputs).tensor(formula, node.axes),
      vjp: ({ inputs }, upstream) => {
        const letters = node.axes.flat();
        const lengths = letters.map((letter) => graph.extents[letter]);
        const own = vjpOf(formula, { letters, lengths, data: upstream.data }, evaluator(inputs));
        return inputs.map(({ shape }, n) => {
          const data = own.get(used[n]);
          return data ? { shape, data } : zeros(shape);
        });
      },
    },
  };
}
