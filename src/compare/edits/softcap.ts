// Scale and softcap of the scores, and another softcap than the setup's.
import { scaleFactor } from '../../engine/heads/weights.ts';
import { shortNumber } from '../search/constants.ts';
import { entrywise } from '../program/operations.ts';
import type { Edit, Family, Site } from './edit.ts';
import { stepEdit } from './make.ts';

export const softcap: Family = (site) =>
  site.kind === 'value' && site.node.id === 'Z' ? solvedCap(site) : [];

/** Another softcap than the setup's, or one where it has none: read off the largest score. */
function solvedCap(site: Site): Edit[] {
  const { target, config, graph, state } = site;
  const scale = scaleFactor(config, graph.extents['a']) ?? 1;
  if (!target)
    return USUAL_CAPS.filter((cap) => cap !== config.softcap).map((cap) =>
      otherCap(site, scale, cap),
    );
  const scores = state.value('S').data;
  let at = 0;
  for (let n = 0; n < scores.length; n++)
    if (Math.abs(scores[n]) > Math.abs(scores[at]) && Number.isFinite(scores[n])) at = n;
  const [inner, outer] = [Math.abs(scale * scores[at]), Math.abs(target.user.data[at])];
  if (!(outer > 0 && outer < inner)) return [];
  // cap · tanh(inner / cap) grows with cap, from 0 to inner.
  let [low, high] = [0, 1e6 * inner];
  for (let n = 0; n < 200; n++) {
    const middle = (low + high) / 2;
    if (middle * Math.tanh(inner / middle) < outer) low = middle;
    else high = middle;
  }
  const round = Number(high.toPrecision(3));
  const cap = Math.abs(high / round - 1) < 1e-4 ? round : high;
  return [otherCap(site, scale, cap)];
}

/** Tried where the scores are not given. */
const USUAL_CAPS = [1, 2, 5, 10, 15, 20, 30, 50, 100];

function otherCap(site: Site, scale: number, cap: number): Edit {
  const { config } = site;
  const number = shortNumber(cap);
  const say = {
    id: config.softcap !== undefined ? 'softcap-value' : 'softcap-unwanted',
    title:
      config.softcap !== undefined
        ? `the softcap is ${number} instead of ${shortNumber(config.softcap)}`
        : `a softcap of ${number} (tanh) is applied that the setup does not ask for`,
    why: `Z is exactly ${number} · tanh(scale · S / ${number}).`,
    wrong: `Z = ${number} · tanh(scale · S / ${number})`,
    cost: 1.2,
  };
  return stepEdit(site, 'Z', say, () =>
    entrywise(
      (s) => cap * Math.tanh((scale * s) / cap),
      (s) => scale * (1 - Math.tanh((scale * s) / cap) ** 2),
    ),
  );
}
