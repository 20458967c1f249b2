// The bias that a mask adds (ALiBi, an additive mask): by another factor, averaged, at another place.
import { hasNode, nodeOf } from '../../engine/graph.ts';
import { additiveMask } from '../../engine/heads/mask.ts';
import { scaleFactor } from '../../engine/heads/weights.ts';
import { addMask } from '../../engine/ops/elementwise.ts';
import { namesOf, shortNumber } from '../constants.ts';
import { entrywise, fibres, onOperand } from '../operations.ts';
import { type Edit, longLetters, type Site } from './edit.ts';
import { stepEdit } from './make.ts';
import { layoutOf, rightMask } from './maskLayout.ts';
import { letterNames, subsets } from '../mistakes/names/softmaxBackward.ts';

/** Z = scale · (S + bias). */
export function beforeScale(site: Site): Edit[] {
  const { graph, config, node } = site;
  if (!hasNode(graph, 'M') || config.softcap !== undefined) return [];
  const { mask } = config;
  const isBias = typeof mask === 'object' && mask.meaning === 'add';
  // The bias alone: what is hidden is hidden later.
  const own = { ...config, window: undefined, mask: isBias ? mask : ('none' as const) };
  const bias = additiveMask(own, layoutOf(site, nodeOf(graph, 'M')))?.data;
  if (!bias || bias.every((value) => value === 0 || value === -Infinity)) return [];
  return [
    stepEdit(
      site,
      node.id,
      {
        id: 'mask-before-scale',
        title: 'the bias of the mask (or ALiBi) is added before the scale, so it is scaled too',
        why: 'Z comes out exactly as the scale times (S + bias); the bias belongs behind the scale.',
        wrong: 'Z = scale · (S + bias)',
        right: 'M = scale · S + bias',
        cost: 1.1,
      },
      ({ operation }) =>
        onOperand(
          operation,
          0,
          entrywise(
            (value, at) => (bias[at] === -Infinity ? value : value + bias[at]),
            () => 1,
          ),
        ),
    ),
  ];
}

/** M = Z + β · bias: the bias scaled, twice, subtracted, multiplied. */
export function biases(site: Site): Edit[] {
  const { node, graph, target, state, precision } = site;
  const right = rightMask(site, node).data;
  if (right.every((value) => value === 0 || value === -Infinity)) return [];
  const M = nodeOf(graph, 'M');
  const [unmasked] = M.kind === 'operation' ? M.inputs : ['S'];
  const use = (beta: number, id: string, title: string, cost: number): Edit =>
    stepEdit(
      site,
      'M',
      {
        id,
        title,
        why: `Every entry of M is ${unmasked} plus ${shortNumber(beta)} times the bias of the mask, where it should be plus the bias.`,
        wrong: `M = ${unmasked} + ${shortNumber(beta)} · mask`,
        cost,
      },
      () =>
        entrywise(
          (value, at) => (right[at] === -Infinity ? -Infinity : value + beta * right[at]),
          (_, at) => Number(right[at] !== -Infinity),
        ),
    );
  const known = (beta: number): Edit => {
    const [name] = namesOf(beta, site, 'Z', 'value', 1e-6);
    if (beta === 0) return use(0, 'mask-bias-missing', 'the bias of the mask is not added', 1);
    if (beta === -1)
      return use(-1, 'mask-inverted', 'the bias of the mask is subtracted (its sign is wrong)', 1);
    if (beta === 2) return use(2, 'mask-bias-twice', 'the bias of the mask is added twice', 1);
    if (name?.id === 'scale-twice')
      return use(
        beta,
        'mask-before-scale',
        'the mask is added before the scale, so its bias is scaled too',
        0.95,
      );
    return use(
      beta,
      'mask-bias-factor',
      `the bias of the mask is ${shortNumber(beta)} times too large${name ? `: ${name.meaning}` : ''}`,
      name ? 1.2 : 1.6,
    );
  };
  const edits = [0, -1, 2, 0.5].map(known);
  const factor = scaleFactor(site.config, graph.extents['a']) ?? 1;
  if (factor !== 1) edits.push(known(factor), known(1 / factor));
  edits.push(
    stepEdit(
      site,
      'M',
      {
        id: 'mask-bias-multiplied',
        title: 'the bias of the mask is multiplied into the scores instead of added',
        why: 'An additive mask is added to the scores.',
        wrong: `M = ${unmasked} ∘ mask`,
        cost: 1.2,
      },
      () =>
        entrywise(
          (value, at) => value * right[at],
          (_, at) => right[at],
        ),
    ),
  );
  const other = (id: string, title: string, wrong: string, changed: () => Float64Array): Edit =>
    stepEdit(
      site,
      'M',
      {
        id,
        title,
        why: 'What is added to the scores is the mask entry by entry.',
        wrong: `M = ${unmasked} + ${wrong}`,
        cost: 1.3,
      },
      () => addMask(node.axes, { shape: node.shape, data: changed() }),
    );
  for (const set of subsets(longLetters(node, graph))) {
    const words = letterNames(set);
    edits.push(
      other(
        'mask-bias-averaged',
        `the bias of the mask is averaged over ${words}`,
        `mean of the mask over ${words}`,
        () => meanOver(right, site, set),
      ),
    );
  }
  edits.push(
    other('mask-bias-integer', 'the bias of the mask is cut to whole numbers', 'int(mask)', () =>
      right.map(Math.trunc),
    ),
  );
  if (target) {
    let [products, squares] = [0, 0];
    const { data } = state.value(unmasked);
    right.forEach((bias, at) => {
      const off = target.user.data[at] - data[at];
      if (!Number.isFinite(bias) || !Number.isFinite(off)) return;
      products += off * bias;
      squares += bias * bias;
    });
    const beta = products / squares;
    const usual = [0, -1, 2, 0.5].some((each) => Math.abs(beta - each) < 1e-6);
    if (Number.isFinite(beta) && !usual && Math.abs(beta - 1) > 10 * precision)
      edits.push(known(beta));
  }
  return edits;
}

/** The finite entries' mean along some letters; hidden stays hidden. */
function meanOver(
  mask: Float64Array,
  { node, graph }: Site,
  letters: readonly string[],
): Float64Array {
  const out = mask.slice();
  const { starts, steps } = fibres(node.axes, letters, graph.extents);
  for (const start of starts) {
    const seen = steps.filter((step) => mask[start + step] !== -Infinity);
    const mean = seen.reduce((sum, step) => sum + mask[start + step], 0) / seen.length;
    for (const step of seen) out[start + step] = mean;
  }
  return out;
}
