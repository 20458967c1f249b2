// Forms of rotary embeddings: angles, cosines and sines, features turned by a quarter.
import { isPlainRope } from '../../engine/config.ts';
import { hasNode } from '../../engine/graph.ts';
import { type Lettered, mapEach, times, zip } from '../recorded/lettered.ts';
import { type Forms, gradientOf, type Parts, valueOf } from './form.ts';

/**
 * Letters of their own: `u` the number of a pair, `w` its first or second feature. Angles are
 * t base^(−2u/width); cosines and sines once per pair and once per feature.
 */
export function addRope(forms: Forms, parts: Parts): Lettered[] {
  const { config, extents } = parts;
  const { rope, past } = config;
  if (!rope || !isPlainRope(rope)) return [];
  const width = extents['a'];
  const tokens = Math.max(extents['i'], extents['j'] + (past ? extents['p'] : 0));
  const own = { ...extents, u: width / 2, w: 2, s: tokens };
  const tables: Lettered[] = [];
  const table = (title: string, value: Lettered): void => {
    tables.push(value);
    forms.add('form', 'value', 'Qh', title, value);
  };
  const frequency = Float64Array.from(
    { length: width / 2 },
    (_, pair) => rope.base ** ((-2 * pair) / width),
  );
  const pairs = { letters: ['u'], data: frequency };
  const size = tokens * own.u;
  const angles = {
    letters: ['s', 'u'],
    data: Float64Array.from(
      { length: size },
      (_, at) => Math.floor(at / own.u) * frequency[at % own.u],
    ),
  };
  table('RoPE’s frequencies', pairs);
  table('RoPE’s angles', angles);
  const perFeature = rope.pairing === 'half' ? ['w', 'u'] : ['u', 'w'];
  const letters = ['s', ...perFeature];
  const blank = { letters, data: new Float64Array(size * 2) };
  const wide = zip(blank, angles, own, (_, angle) => angle);
  table('RoPE’s angles of each feature', wide);
  for (const [name, fn] of [
    ['cosines', Math.cos],
    ['sines', Math.sin],
  ] as const) {
    table(`RoPE’s ${name}`, mapEach(angles, fn));
    table(`RoPE’s ${name} of each feature`, mapEach(wide, fn));
  }
  const both = Float64Array.from({ length: size * 2 }, (_, at) =>
    at % 2 === 0 ? Math.cos(angles.data[at >> 1]) : Math.sin(angles.data[at >> 1]),
  );
  const turns = { letters: ['s', 'u', 'w'], data: both };
  table('RoPE’s rotations as complex numbers', turns);
  // The inverse rotation.
  const back = both.map((value, at) => (at % 2 === 0 ? value : -value));
  table('RoPE’s inverse rotations as complex numbers', { letters: turns.letters, data: back });
  table(
    '−RoPE’s sines',
    mapEach(angles, (angle) => -Math.sin(angle)),
  );
  table(
    '−RoPE’s sines of each feature',
    mapEach(wide, (angle) => -Math.sin(angle)),
  );
  addTurned(forms, parts);
  return tables;
}

/** Q and K with each pair (u, w) turned to (−w, u), and both halves of the rotation. */
function addTurned(forms: Forms, parts: Parts): void {
  const { config, extents, graph } = parts;
  const { rope, past } = config;
  if (!rope || !isPlainRope(rope) || past) return;
  const width = extents['a'];
  const half = width / 2;
  const pairOf = (at: number): number => (rope.pairing === 'half' ? at % half : at >> 1);
  const partner = (at: number): number =>
    rope.pairing === 'interleaved' ? at ^ 1 : at < half ? at + half : at - half;
  const isFirst = (at: number): boolean =>
    rope.pairing === 'interleaved' ? at % 2 === 0 : at < half;
  for (const id of ['Q', 'K']) {
    if (!hasNode(graph, id) || !hasNode(graph, `${id}h`)) continue;
    for (const kind of ['value', 'gradient'] as const) {
      const source = kind === 'value' ? valueOf(parts, id) : gradientOf(parts, `${id}h`);
      const letters = source.letters;
      const token = letters.findIndex((letter) => /^[ij]$/.test(letter));
      const after = letters.slice(token + 1).reduce((size, letter) => size * extents[letter], 1);
      if (letters[letters.length - 1] !== 'a') continue;
      const positionOf = (at: number): number => Math.floor(at / after) % extents[letters[token]];
      const angle = (at: number): number =>
        positionOf(at) * rope.base ** ((-2 * pairOf(at % width)) / width);
      const turned = source.data.map((_, at) => {
        const feature = at % width;
        return source.data[at - feature + partner(feature)] * (isFirst(feature) ? -1 : 1);
      });
      const along = source.data.map((value, at) => value * Math.cos(angle(at)));
      const across = turned.map((value, at) => value * Math.sin(angle(at)));
      const plain = source.data.map((value, at) => value * Math.sin(angle(at)));
      const name = kind === 'value' ? id : `d${id}h`;
      const add = (title: string, data: Float64Array): void =>
        forms.add('partial', kind, id, title, { letters, data });
      add(`${name} turned by a quarter`, turned);
      add(`${name} cos θ`, along);
      add(`${name} turned, sin θ`, across);
      add(`${name} sin θ`, plain);
      if (kind === 'gradient')
        add(`−${name} turned, sin θ`, times({ letters, data: across }, -1).data);
    }
  }
}
