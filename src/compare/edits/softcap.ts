// Scale and softcap: Z = cap · tanh(scale · S / cap) and its slope scale · (1 − (Z / cap)²).
import { hasNode } from '../../engine/graph.ts';
import { scaleFactor } from '../../engine/heads/weights.ts';
import { map } from '../../engine/tensor.ts';
import { shortNumber } from '../constants.ts';
import { entrywise } from '../operations.ts';
import type { Edit, Family, Site } from './edit.ts';
import { contributionEdit, stepEdit } from './make.ts';

export const softcap: Family = (site) => {
  const { config, graph, node, kind } = site;
  const { softcap: cap } = config;
  if (cap === undefined) return kind === 'value' && node.id === 'Z' ? solvedCap(site) : [];
  const scale = scaleFactor(config, graph.extents['a']) ?? 1;
  const slope = (inner: number, by: number): number => by * (1 - Math.tanh(inner) ** 2);
  if (kind === 'value' && node.id === 'Z') {
    const way = (
      id: string,
      title: string,
      wrong: string,
      value: (s: number) => number,
      own: (s: number) => number,
    ) =>
      stepEdit(site, 'Z', { id, title, why: `Z is exactly ${wrong}.`, wrong: `Z = ${wrong}` }, () =>
        entrywise(value, own),
      );
    return [
      ...solvedCap(site),
      way(
        'softcap-divided-twice',
        'the scores are divided twice by the softcap before tanh',
        'softcap · tanh(scale · S / softcap²)',
        (s) => cap * Math.tanh((scale * s) / cap ** 2),
        (s) => slope((scale * s) / cap ** 2, scale / cap),
      ),
      way(
        'softcap-multiplied-inside',
        'the scores are multiplied by the softcap inside tanh, where they should be divided',
        'softcap · tanh(scale · S · softcap)',
        (s) => cap * Math.tanh(scale * s * cap),
        (s) => slope(scale * s * cap, scale * cap ** 2),
      ),
      way(
        'softcap-twice',
        'the softcap (tanh) is applied twice',
        'softcap · tanh(tanh(scale · S / softcap))',
        (s) => cap * Math.tanh(Math.tanh((scale * s) / cap)),
        (s) => slope((scale * s) / cap, scale) * (1 - Math.tanh(Math.tanh((scale * s) / cap)) ** 2),
      ),
      way(
        'softcap-without-scale',
        'the scale is missing under the softcap',
        'softcap · tanh(S / softcap)',
        (s) => cap * Math.tanh(s / cap),
        (s) => slope(s / cap, 1),
      ),
      way(
        'softcap-of-sigmoid',
        'a sigmoid instead of the tanh of the softcap',
        'softcap · sigmoid(scale · S / softcap)',
        (s) => cap / (1 + Math.exp((-scale * s) / cap)),
        (s) => {
          const share = 1 / (1 + Math.exp((-scale * s) / cap));
          return scale * share * (1 - share);
        },
      ),
      way(
        'softcap-of-softsign',
        'x / (1 + |x|) (softsign) instead of the tanh of the softcap',
        'softcap · x / (1 + |x|), x = scale · S / softcap',
        (s) => (scale * s) / (1 + Math.abs((scale * s) / cap)),
        (s) => scale / (1 + Math.abs((scale * s) / cap)) ** 2,
      ),
      way(
        'softcap-of-arctan',
        'an arctan instead of the tanh of the softcap',
        'softcap · arctan(scale · S / softcap)',
        (s) => cap * Math.atan((scale * s) / cap),
        (s) => scale / (1 + ((scale * s) / cap) ** 2),
      ),
      way(
        'softcap-missing',
        'the softcap is missing',
        'scale · S',
        (s) => scale * s,
        () => scale,
      ),
      way(
        'softcap-without-division',
        'the scores are not divided by the softcap before tanh',
        'softcap · tanh(scale · S)',
        (s) => cap * Math.tanh(scale * s),
        (s) => slope(scale * s, cap * scale),
      ),
      way(
        'softcap-without-multiplication',
        'tanh is not multiplied by the softcap',
        'tanh(scale · S / softcap)',
        (s) => Math.tanh((scale * s) / cap),
        (s) => slope((scale * s) / cap, scale / cap),
      ),
      way(
        'softcap-plain-tanh',
        'a plain tanh instead of the softcap',
        'tanh(scale · S)',
        (s) => Math.tanh(scale * s),
        (s) => slope(scale * s, scale),
      ),
      way(
        'softcap-before-scale',
        'the softcap is applied before the scale',
        'scale · softcap · tanh(S / softcap)',
        (s) => scale * cap * Math.tanh(s / cap),
        (s) => slope(s / cap, scale),
      ),
      way(
        'softcap-clip',
        'scores are clipped at the softcap instead of bent by tanh',
        'clip(scale · S, −softcap, softcap)',
        (s) => Math.max(-cap, Math.min(cap, scale * s)),
        (s) => (Math.abs(scale * s) < cap ? scale : 0),
      ),
      way(
        'softcap-inverted',
        'multiplied by the softcap inside tanh',
        'tanh(scale · S · softcap) / softcap',
        (s) => Math.tanh(scale * s * cap) / cap,
        (s) => slope(scale * s * cap, scale),
      ),
    ];
  }
  if (kind !== 'gradient' || node.id !== 'S') return [];
  const way = (
    id: string,
    title: string,
    wrong: string,
    factor: (s: number, z: number) => number,
  ) =>
    contributionEdit(
      site,
      'Z',
      0,
      { id, title, why: `dS is exactly ${wrong}.`, wrong: `dS = ${wrong}` },
      (_, state) => {
        const [s, z] = [state.value('S').data, state.value('Z').data];
        return map(state.gradient('Z'), (value, at) =>
          value === 0 ? 0 : value * factor(s[at], z[at]),
        );
      },
    );
  const ofMasked = (): Edit =>
    contributionEdit(
      site,
      'Z',
      0,
      {
        id: 'backward-softcap-of-masked',
        title: 'the derivative of the softcap takes the scores after the mask',
        why: 'The derivative of tanh must be taken of Z, before the mask is added.',
        wrong: 'dS = scale · (1 − (M / softcap)²) ∘ dZ',
        cost: 1.1,
      },
      (_, state) => {
        const m = state.value('M').data;
        return map(state.gradient('Z'), (value, at) =>
          value === 0 ? 0 : value * scale * (1 - (m[at] / cap) ** 2),
        );
      },
    );
  return [
    way(
      'backward-softcap-not-divided',
      'the derivative of the softcap takes tanh of the scores that are not divided by the softcap',
      'scale · (1 − tanh²(scale · S)) ∘ dZ',
      (s) => slope(scale * s, scale),
    ),
    way(
      'backward-softcap-root',
      'the derivative of the softcap is 1 / cosh instead of 1 / cosh²',
      'scale / cosh(scale · S / softcap) ∘ dZ',
      (s) => scale / Math.cosh((scale * s) / cap),
    ),
    way(
      'backward-softcap-missing',
      'the derivative of the softcap is missing',
      'scale · dZ',
      () => scale,
    ),
    way(
      'backward-softcap-unscaled',
      'the derivative of the softcap takes Z without dividing by the softcap',
      'scale · (1 − Z²) ∘ dZ',
      (_, z) => scale * (1 - z * z),
    ),
    way(
      'backward-softcap-sign',
      'the derivative of the softcap has the wrong sign: 1 + tanh² for 1 − tanh²',
      'scale · (1 + (Z / softcap)²) ∘ dZ',
      (_, z) => scale * (1 + (z / cap) ** 2),
    ),
    way(
      'backward-softcap-times-softcap',
      'the derivative of the softcap is multiplied by the softcap once too often',
      'softcap · scale · (1 − (Z / softcap)²) ∘ dZ',
      (_, z) => cap * scale * (1 - (z / cap) ** 2),
    ),
    way(
      'backward-softcap-over-softcap',
      'the derivative of the softcap is divided by the softcap (the factor of tanh is left out)',
      'scale / softcap · (1 − (Z / softcap)²) ∘ dZ',
      (_, z) => (scale / cap) * (1 - (z / cap) ** 2),
    ),
    ...(hasNode(graph, 'M') ? [ofMasked()] : []),
    way(
      'backward-softcap-of-logits',
      'the derivative of the softcap takes the scores before tanh',
      'scale · (1 − (scale · S / softcap)²) ∘ dZ',
      (s) => scale * (1 - ((scale * s) / cap) ** 2),
    ),
    way(
      'backward-softcap-of-raw-scores',
      'the derivative of the softcap takes the raw scores',
      'scale · (1 − (S / softcap)²) ∘ dZ',
      (s) => scale * (1 - (s / cap) ** 2),
    ),
    way(
      'backward-softcap-not-squared',
      'tanh is not squared in the derivative of the softcap',
      'scale · (1 − Z / softcap) ∘ dZ',
      (_, z) => scale * (1 - z / cap),
    ),
    way(
      'backward-softcap-twice-tanh',
      'tanh is taken twice in the derivative of the softcap',
      'scale · (1 − tanh²(Z / softcap)) ∘ dZ',
      (_, z) => slope(z / cap, scale),
    ),
    way(
      'backward-softcap-unscaled-argument',
      'the derivative of the softcap forgets the scale inside tanh',
      'scale · (1 − tanh²(S / softcap)) ∘ dZ',
      (s) => slope(s / cap, scale),
    ),
    way(
      'backward-scale-missing',
      'the scale is missing in the backward pass',
      '(1 − (Z / softcap)²) ∘ dZ',
      (_, z) => 1 - (z / cap) ** 2,
    ),
    way(
      'backward-scale-twice',
      'the scale is applied twice in the backward pass',
      'scale² · (1 − (Z / softcap)²) ∘ dZ',
      (_, z) => scale ** 2 * (1 - (z / cap) ** 2),
    ),
    way(
      'backward-softcap-linear',
      'tanh itself instead of its derivative',
      'scale · tanh ∘ dZ',
      (_, z) => (scale * z) / cap,
    ),
  ];
};

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
