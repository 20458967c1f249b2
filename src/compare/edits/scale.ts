// A factor too many, missing or wrong.
import { tensorName } from '../../engine/graph.ts';
import { namesOf, type RatioName, scoreRatios, shortNumber } from '../search/constants.ts';
import { scaleFactor } from '../../engine/heads/weights.ts';
import { constantRatio } from '../judge/judge.ts';
import { sourcesOf } from '../program/sources.ts';
import { after, onOperand, times } from '../program/operations.ts';
import { map } from '../../engine/tensor.ts';
import type { Edit, Family, Site } from './edit.ts';
import { gradientEdit, type Say, stepEdit } from './make.ts';
import { scaleInCode } from './snippets.ts';

function describe(site: Site, factor: number, name: RatioName | undefined): Say {
  const { node, kind } = site;
  const own = tensorName(node.id, kind);
  const number = shortNumber(factor);
  const id = name ? `${kind === 'value' ? '' : 'backward-'}${name.id}` : 'constant-factor';
  // With small numbers one factor may be several: 1/2 is a scale, half, and a mean over two.
  const same = name ? namesOf(name.value, site, node.id, kind, 1e-9) : [];
  const meanings = same.filter((each) => each.rank < 2.5 && each.meaning !== name?.meaning);
  const others =
    meanings.length > 0
      ? ` With these sizes other mistakes give the same factor: ${meanings
          .slice(0, 2)
          .map(({ meaning }) => `“${meaning}”`)
          .join(', ')}.`
      : '';
  if (!name) {
    return {
      id,
      title: `${own} is ${number} times what it should be${scaled(site, factor)}`,
      why: `Every entry of ${own} is ${number} times the right one; none of the usual factors has this value.`,
      wrong: `${own} = ${number} · (right ${own})`,
      cost: 2.5,
    };
  }
  return {
    ...inLine(site, name),
    id,
    title: `${own}: ${name.meaning}`,
    why: `Every entry of ${own} is ${number} = ${name.symbol} times the right one: ${name.meaning}.${others}`,
    wrong: `${own} = ${number} · (right ${own}), ${number} = ${name.symbol}`,
    cost: 1 + 0.1 * Math.floor(name.rank),
  };
}

/** Of gradients behind the scores, a line with the factor that the scale should have given. */
function inLine(site: Site, { id, value }: RatioName): Pick<Say, 'numpy' | 'pytorch'> {
  const { node, kind } = site;
  if (kind === 'value' || !/^[QK]h?$/.test(node.id) || !id.startsWith('scale-')) return {};
  const own = `d${node.id}`;
  const { code, words } = scaleInCode(site);
  const line =
    id === 'scale-missing'
      ? `${own} = ${own} * ${code}  # ${words}: dQ = scale · dZ K and dK = scale · dZᵀ Q`
      : `${own} = ${own} * ${shortNumber(1 / value)}  # so that it has the scale once: ${words}`;
  return { numpy: line, pytorch: line };
}

/** Of scores, the scale that the factor amounts to. */
function scaled({ config, graph, node }: Site, factor: number): string {
  const scale = scaleFactor(config, graph.extents['a']);
  if (scale === null || !/^[SZ]$/.test(node.id)) return '';
  return `: the scale is ${shortNumber(scale * factor)} instead of ${shortNumber(scale)}`;
}

/** The node's value or gradient times a factor; in Z and before, the scores are scaled before the softcap. */
export function scaleEdit(site: Site, factor: number, name: RatioName | undefined): Edit {
  const { node, kind } = site;
  if (kind === 'gradient') {
    return gradientEdit(site, node.id, describe(site, factor, name), (own) =>
      map(own(), (value) => value * factor),
    );
  }
  const text = describe(site, factor, name);
  return node.id === 'Z' && site.config.softcap !== undefined
    ? stepEdit(site, node.id, text, ({ operation }) => onOperand(operation, 0, times(factor)))
    : stepEdit(site, node.id, text, ({ operation }) => after(operation, times(factor)));
}

/** Entries enough to tell a constant ratio from chance. */
const ENOUGH = 4;

/** A loss is one number, which any factor reproduces; that the gradient of y has it too is no chance. */
function isSeenInGradient({ node, state, precision }: Site, ratio: number): boolean {
  const own = node.id === 'f' ? state.given.gradients.get('y') : undefined;
  const found = own && constantRatio(own, state.predict('g:y'), Math.max(precision, 1e-9));
  return typeof found === 'number' && Math.abs(found / ratio - 1) < Math.max(8 * precision, 1e-9);
}

/** Whether all that reaches what is to be explained comes through here. */
function isOnlyWay({ goal, node, state }: Site): boolean {
  let sources = sourcesOf(state.program, goal.key.slice(2));
  while (sources.length === 1) {
    const [{ from }] = sources;
    if (from === node.id) return true;
    sources = sourcesOf(state.program, from);
  }
  return false;
}

export const scale: Family = (site) => {
  const { node, kind, ratio, precision, target } = site;
  if (node.kind === 'input' && kind === 'value') return [];
  const edits: Edit[] = [];
  if (ratio !== null && (kind === 'gradient' || target)) {
    const [name] = namesOf(ratio, site, node.id, kind, Math.max(4 * precision, 1e-9));
    const entries = target?.user.data.length ?? ENOUGH;
    if (name) edits.push(scaleEdit(site, name.value, name));
    else if (target && (entries >= ENOUGH || isSeenInGradient(site, ratio)))
      edits.push(scaleEdit(site, ratio, undefined));
  }
  // On one of several paths a factor is no constant ratio of the whole.
  const isPart = kind === 'gradient' && !target && ratio === null && !isOnlyWay(site);
  if (isPart && /^([QK]h?|S)$/.test(node.id)) {
    for (const name of scoreRatios(site)) edits.push(scaleEdit(site, name.value, name));
  }
  const scores =
    kind === 'value' &&
    (node.id === 'Z' || (node.id === 'S' && !site.graph.nodes.some(({ id }) => id === 'Z')));
  if (scores) for (const name of scoreRatios(site)) edits.push(scaleEdit(site, name.value, name));
  return edits;
};
