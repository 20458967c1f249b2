// How a mask is applied: added as 0/1, multiplied, with a fill value, after the softmax; its bias by another factor.
import { type GraphNode, hasNode, nodeOf, type OperationNode } from '../../../engine/graph.ts';
import { scaleFactor } from '../../../engine/heads/weights.ts';
import { additiveMask } from '../../../engine/heads/mask.ts';
import { addMask } from '../../../engine/ops/elementwise.ts';
import { map, type Tensor } from '../../../engine/tensor.ts';
import { namesOf, shortNumber } from '../../search/constants.ts';
import type { Edit, Family, Site } from '../../edits/edit.ts';
import { makeEdit, stepEdit } from '../../edits/make.ts';
import { shareOf } from '../../edits/solve.ts';
import { fibres, notANumber } from '../../program/operations.ts';
import { withStep } from '../../program/program.ts';
import { layoutOf, rightMask, tensorsFor } from '../maskWords.ts';
import { editsOf, type Row, rowsOf, withWords } from '../table.ts';
import { maskVariants } from './masks.ts';

/** `hidden` is 1 where the mask hides, `bias` what it adds where it does not. */
export const WAYS = rowsOf(`
M mask-added-as-zero-one: the 0/1 mask is added to the scores
  unmasked + not(hidden) + bias
  : M = Z + seen (0 or 1)
  | A boolean mask turned into 0 and 1 and added hides nothing.
M mask-added-as-zero-one: the 0/1 mask is added to the scores (1 where hidden)
  unmasked + hidden + bias
  : M = Z + hidden (0 or 1)
  | A boolean mask turned into 0 and 1 and added hides nothing.
M mask-subtracted-as-zero-one: the 0/1 mask is subtracted from the scores
  unmasked - hidden + bias
  : M = Z − hidden (0 or 1)
  | Subtracting 1 from hidden scores hardly hides them.
M mask-multiplied: the 0/1 mask is multiplied into the scores
  not(hidden) * (unmasked + bias)
  : M = Z ∘ seen
  | Hidden scores become 0, and exp(0) = 1: they keep a weight. Hidden scores must be −∞.
M mask-multiplied-inverted: the inverted 0/1 mask is multiplied into the scores
  hidden * unmasked
  : M = Z ∘ hidden
  | Scores that should be seen become 0, hidden ones stay.
M mask-fill-value: hidden scores are filled with {fill} instead of −∞
  fill * hidden + not(hidden) * (unmasked + bias)
  : M = where(hidden, {fill}, Z)
  | exp({fill}) is not 0: hidden keys keep a weight and their gradients leak.
M mask-penalty-finite: hidden scores are only lowered by {by}, which leaves them weight
  unmasked - by * hidden + bias
  : M = Z − {by} · hidden
  | Hidden keys keep exp(−{by}) of their weight, and their gradients leak.
M mask-sign: hidden scores are +∞ instead of −∞
  not(hidden) * (unmasked + bias) - hide(hidden)
  : M = where(hidden, +∞, Z)
  | The softmax of +∞ is NaN.
M mask-fill-nan: the mask is multiplied by −∞: 0 · −∞ is NaN where nothing is hidden
  unmasked + hidden * hide(1)
  : M = Z + hidden · (−∞)
  | −∞ times 0 is NaN, so every score that is seen becomes NaN.
`);

const FILLS = [1e-9, -1e-9, -1, -10, 1e9, 1];
const PENALTIES = [2, 3, 5, 10, 20];

export const CAPS = rowsOf(`
M softcap-after-mask 0.95: softcap is applied after the mask
  -softcap * hidden + not(hidden) * (unmasked + bias)
  : M = where(hidden, −softcap, Z)
  | Hidden scores become softcap · tanh(−∞) = −softcap instead of −∞ and keep a weight.
`);

export const LATE = rowsOf(`
P mask-after-softmax: the mask is applied after the softmax, without normalising again
  exp(unmasked) / sum_i(exp(unmasked)) * not(hidden)
  : P = softmax(Z) ∘ seen
  | Hidden keys have taken part in the sum of the softmax, so the weights of a row add to less than 1.
M mask-after-softmax: the mask is applied after the softmax, without normalising again
  M: unmasked
  P: exp(M) / sum_i(exp(M)) * not(hidden)
  : P = softmax(Z) ∘ seen
  | Hidden keys have taken part in the sum of the softmax, so the weights of a row add to less than 1.
M mask-after-softmax-wrong-axis 2: softmax over the queries, then the mask
  M: unmasked
  P: exp(M) / sum_j(exp(M)) * not(hidden)
  : P = softmax_j(Z) ∘ seen
  | Two mistakes in one step.
Z softcap-after-mask [softcap] 0.95: softcap is applied after the mask
  Z: scale * S
  M: -softcap * hidden + not(hidden) * softcap * tanh((Z + bias) / softcap)
  : M = softcap · tanh((scale · S + mask) / softcap)
  | Hidden scores become softcap · tanh(−∞) = −softcap instead of −∞ and keep a weight.
output padded-queries-zeroed [M square] 1.1: the output of queries that are padding is set to 0
  weights := weights * at(i, j, max_j(not(not(exp(M - unmasked)))))
  : O = 0 where no query sees the query’s own key
  | Padding hides keys; what a padded query gets is its own affair, and its loss may be left out.
dC padded-queries-zeroed [M square multihead] 1.1: the gradient of queries that are padding is set to 0
  dy := dy * at(i, j, max_h(max_j(not(not(exp(M - unmasked))))))
  : dy = 0 where no query sees the query’s own key
  | Padding hides keys; the loss of a padded query is left out only where the setup says so.
dvalues backward-weights-unmasked: the weights are recomputed without the mask in the backward pass
  weights := exp(unmasked) / sum_i(exp(unmasked))
  | It comes out exactly with weights that give hidden keys a share.
`);

/** The bias alone, without what is hidden. */
const BEFORE_SCALE = rowsOf(`
Z mask-before-scale 1.1: the bias of the mask (or ALiBi) is added before the scale, so it is scaled too
  S := S + bias
  : Z = scale · (S + bias)
  | Z comes out exactly as the scale times (S + bias); the bias belongs behind the scale.
`);

/** SEEN becomes the scores that are seen, without the bias. */
export const BIASES = rowsOf(
  `
M mask-bias-missing: the bias of the mask is not added
  SEEN
  : M = {unmasked} + 0 · mask
M mask-inverted: the bias of the mask is subtracted (its sign is wrong)
  SEEN - bias
  : M = {unmasked} − mask
M mask-bias-twice: the bias of the mask is added twice
  SEEN + 2 * bias
  : M = {unmasked} + 2 · mask
M mask-bias-multiplied 1.2: the bias of the mask is multiplied into the scores instead of added
  unmasked * right
  : M = {unmasked} ∘ mask
M mask-bias-integer 1.3: the bias of the mask is cut to whole numbers
  SEEN + sign(bias) * floor(abs(bias))
  : M = {unmasked} + int(mask)
`,
  { why: 'Every entry of M is the score plus something else than the mask’s bias.' },
);
const SEEN = 'not(hidden) * unmasked + hide(hidden)';

/** What hides of a mask, what it adds where it does not, and the whole. */
const givenOf = ({ axes }: GraphNode, mask: () => Tensor): Pick<Row, 'terms' | 'given'> =>
  tensorsFor(axes, {
    hidden: () => map(mask(), (value) => Number(value === -Infinity)),
    bias: () => map(mask(), (value) => (value === -Infinity ? 0 : value)),
    right: mask,
  });

/** The rows of WAYS with their numbers. */
function numbered(row: Row, more: readonly number[] = []): Row[] {
  const name =
    row.id === 'mask-fill-value' ? 'fill' : row.id === 'mask-penalty-finite' ? 'by' : null;
  if (name === null) return [row];
  const values = [...(name === 'fill' ? FILLS : PENALTIES), ...more];
  return values.flatMap((value) =>
    withWords([row], { [name]: shortNumber(value) }).map((own) => ({
      ...own,
      numbers: { [name]: value },
    })),
  );
}

const allWays = ({ config }: Site): Row[] => [
  ...(config.softcap === undefined ? [] : CAPS),
  ...WAYS.flatMap((row) => numbered(row)),
];

/** The fill value, and the number by which scores are lowered, that hidden entries of a person's M tell. */
function ownNumbers(site: Site): Row[] {
  const { node, target, state } = site;
  const right = rightMask(site, node).data;
  const hidden = [...right.keys()].filter((at) => right[at] === -Infinity);
  if (!target || hidden.length === 0) return [];
  const { data } = target.user;
  const before = state.value((node as OperationNode).inputs[0]).data;
  const given = givenOf(node, () => rightMask(site, node));
  const [fill, by] = [data[hidden[0]], before[hidden[0]] - data[hidden[0]]];
  const isFill = Number.isFinite(fill) && hidden.every((at) => data[at] === fill);
  const isLowered = (at: number): boolean =>
    Math.abs(before[at] - data[at] - by) <= 1e-5 * Math.abs(by) + 1e-9;
  const isBy = hidden.length > 1 && Number.isFinite(by) && by !== 0 && hidden.every(isLowered);
  const exact = Math.abs(Number(shortNumber(by)) / by - 1) < 1e-5 ? Number(shortNumber(by)) : by;
  return WAYS.flatMap((row): Row[] => {
    const value = row.id === 'mask-fill-value' ? isFill && fill : isBy && exact;
    const own = value === false ? [] : numbered(row, [value]).slice(-1);
    return own
      .filter(({ numbers }) => numbers)
      .map((each) => ({
        ...each,
        ...given,
        ...(row.id === 'mask-penalty-finite' && { cost: 1.15 }),
      }));
  });
}

/** The right mask in another place than before the softmax. */
function late(site: Site): Row[] {
  if (!hasNode(site.graph, 'M')) return [];
  const M = nodeOf(site.graph, 'M');
  const given = givenOf(M, () => rightMask(site, M));
  return LATE.map((row) => ({ ...row, ...given }));
}

type Which = 'usual' | 'strange';

/** A mask where the setup has none. */
const unwanted = (site: Site, which: Which): Edit[] =>
  maskVariants(site, site.node, which).map((variant) =>
    stepEdit(site, 'P', variant, ({ operation }) => {
      const add = addMask(site.node.axes, variant.mask);
      return {
        ...operation,
        forward: (inputs) => operation.forward([add.forward(inputs)]),
        vjp: (at, upstream) => operation.vjp(at, upstream),
      };
    }),
  );

/** What the setup's mask hides, as its variants are written. */
const rightWords = ({ config: { mask, window, past, masks } }: Site): { right?: string } =>
  mask === 'causal' && window === undefined && !past && !masks?.length
    ? { right: 'hidden = i > j' }
    : {};

const BLIND = 'A query that sees no key divides 0 by 0: NaN.';

function variants(site: Site, which: Which): Edit[] {
  const { node, graph, goal } = site;
  const edits = maskVariants(site, node, which).map((variant) => {
    const { id, title, why, wrong, cost } = variant;
    const say = {
      id,
      title,
      why,
      wrong,
      cost,
      ...(wrong.startsWith('hidden') && rightWords(site)),
    };
    return stepEdit(site, 'M', say, () => addMask(node.axes, variant.mask));
  });
  if (!goal.user.data.some(Number.isNaN)) return edits;
  const rows = fibres(nodeOf(graph, 'P').axes, ['i'], graph.extents);
  const blind = edits.map((edit) => {
    const { id, title, wrong, cost } = edit;
    const say = { id, title, why: `${edit.why} ${BLIND}`, wrong, cost };
    return makeEdit(site, 'M', 'value', say, (program) => {
      const { operation, inputs } = program.forward.get('P')!;
      return withStep(edit.apply(program), 'P', { operation: notANumber(operation, rows), inputs });
    });
  });
  return [...edits, ...blind];
}

const isAt = ({ kind, node }: Site, id: string): boolean => kind === 'value' && node.id === id;

function others(site: Site, which: Which): Edit[] {
  if (isAt(site, 'M')) return variants(site, which);
  return isAt(site, 'P') && !hasNode(site.graph, 'M') ? unwanted(site, which) : [];
}

/** Another mask, or the right one applied in another way. Masks are large: none is kept. */
export const mask: Family = (site) => {
  if (!isAt(site, 'M')) return [...others(site, 'usual'), ...editsOf(site, late(site))];
  const given = givenOf(site.node, () => rightMask(site, site.node));
  const ways = allWays(site).map((row) => ({ ...row, ...given }));
  const rows = [...ways, ...ownNumbers(site), ...late(site)];
  return [...others(site, 'usual'), ...editsOf(site, rows)];
};

/** The masks of blocks, and moved ones: many, and seldom. */
export const strangeMasks: Family = (site) => others(site, 'strange');

/** Z = scale · (S + bias): what is hidden is hidden later. */
function beforeScale(site: Site): Row[] {
  const { graph, config } = site;
  if (!hasNode(graph, 'M') || config.softcap !== undefined) return [];
  const isBias = typeof config.mask === 'object' && config.mask.meaning === 'add';
  const M = nodeOf(graph, 'M');
  const own = { ...config, window: undefined, mask: isBias ? config.mask : ('none' as const) };
  const bias = additiveMask(own, layoutOf(site, M));
  if (!bias || bias.data.every((value) => value === 0 || value === -Infinity)) return [];
  const right = 'M = scale · S + bias';
  return BEFORE_SCALE.map((row) => ({ ...row, ...givenOf(M, () => bias), right }));
}

/** M = Z + β · bias. */
function factorRow(site: Site, beta: number, unmasked: string): Row {
  const [name] = namesOf(beta, site, 'Z', 'value', 1e-6);
  const text = shortNumber(beta);
  const isScale = name?.id === 'scale-twice';
  return {
    ...{ on: 'M', formula: `${SEEN} + beta * bias`, numbers: { beta } },
    id: isScale ? 'mask-before-scale' : 'mask-bias-factor',
    title: isScale
      ? 'the mask is added before the scale, so its bias is scaled too'
      : `the bias of the mask is ${text} times too large${name ? `: ${name.meaning}` : ''}`,
    why: `Every entry of M is ${unmasked} plus ${text} times the bias of the mask, where it should be plus the bias.`,
    wrong: `M = ${unmasked} + ${text} · mask`,
    cost: isScale ? 0.95 : name ? 1.2 : 1.6,
  };
}

/** The factor of the bias that a person's M tells. */
function ownFactor(
  { target, state, precision }: Site,
  right: Float64Array,
  unmasked: string,
): number[] {
  if (!target) return [];
  const before = state.value(unmasked);
  const once = map(before, (value, at) => value + right[at]);
  const beta = shareOf(target.user, before, once) ?? NaN;
  const isUsual = [0, -1, 2, 0.5].some((each) => Math.abs(beta - each) < 1e-6);
  return Number.isFinite(beta) && !isUsual && Math.abs(beta - 1) > 10 * precision ? [beta] : [];
}

function biases(site: Site): Row[] {
  const { node, graph, config } = site;
  const right = rightMask(site, node);
  if (right.data.every((value) => value === 0 || value === -Infinity)) return [];
  const [unmasked] = (node as OperationNode).inputs;
  const scale = scaleFactor(config, graph.extents['a']) ?? 1;
  const factors = [0.5, ...(scale === 1 ? [] : [scale, 1 / scale])];
  const own = [...factors, ...ownFactor(site, right.data, unmasked)];
  const rows = withWords(BIASES, { unmasked }).map((row) => ({
    ...row,
    formula: row.formula.replace('SEEN', SEEN),
  }));
  const given = givenOf(node, () => right);
  return [...rows, ...own.map((beta) => factorRow(site, beta, unmasked))].map((row) => ({
    ...row,
    ...given,
  }));
}

/** The bias that a mask adds (ALiBi, an additive mask): by another factor, averaged, at another place. */
export const maskBias: Family = (site) => {
  if (site.kind !== 'value') return [];
  if (site.node.id === 'Z') return editsOf(site, beforeScale(site));
  return site.node.id === 'M' ? editsOf(site, biases(site)) : [];
};
