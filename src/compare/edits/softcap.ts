// Scale and softcap: Z = cap · tanh(scale · S / cap) and its slope scale · (1 − (Z / cap)²).
import { scaleFactor } from '../../engine/heads/weights.ts';
import { map } from '../../engine/tensor.ts';
import { entrywise } from '../operations.ts';
import type { Family } from './edit.ts';
import { contributionEdit, stepEdit } from './make.ts';

export const softcap: Family = (site) => {
  const { config, graph, node, kind } = site;
  const { softcap: cap } = config;
  if (cap === undefined) return [];
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
  return [
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
