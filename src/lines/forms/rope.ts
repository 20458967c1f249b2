// Forms of rotary embeddings: frequencies and what they are scaled by, angles, cosines and sines, features turned.
import type { Extents, Letter } from '../../engine/axes.ts';
import type { Rope } from '../../engine/config.ts';
import type { GraphNode, NodeId, OperationNode } from '../../engine/graph.ts';
import { magnitudeOf } from '../../engine/ops/ropeAngles.ts';
import { turningOf } from '../../engine/ops/rotary.ts';
import { type Lettered, mapEach, times, zip } from '../recorded/lettered.ts';
import { type Forms, gradientOf, type Parts, valueOf } from './form.ts';
import { scalingOf } from './ropeScaling.ts';

/** What turns: the step that turns it, its input, the letters of tokens and features. */
interface Turning {
  readonly id: NodeId;
  readonly source: NodeId;
  readonly token: Letter;
  readonly feature: Letter;
}

/** The features that turn, of a letter of their own: of whole keys, or of the part beside a latent. */
export function turnedIn({ config: { rope }, extents }: Parts): number {
  const width = extents['z'] ?? extents['a'] ?? 0;
  return rope?.features ?? width;
}

/**
 * Letters of their own: `τ` a position, `u` the number of a pair, `w` its first or second feature. Angles are positions
 * times frequencies; cosines and sines once per pair and once per feature.
 */
export function addRope(forms: Forms, parts: Parts): void {
  const { rope } = parts.config;
  if (!rope) return;
  const turning = turningIn(parts);
  if (turning.length === 0) return;
  addFrequencies(forms, parts, rope);
  addTables(forms, parts, rope);
  if (parts.config.past) return;
  for (const each of turning) addTurned(forms, parts, rope, each);
}

function turningIn({ graph }: Parts): Turning[] {
  const isTurning = (node: GraphNode): node is OperationNode =>
    node.kind === 'operation' && node.operation.name.includes('rotary embedding');
  return graph.nodes.filter(isTurning).flatMap(({ id, axes, inputs: [source] }) => {
    const token = axes.flat().find((letter: Letter) => /^[ijt]$/.test(letter));
    const feature = axes.at(-1)?.at(-1);
    return token && feature ? [{ id, source, token, feature }] : [];
  });
}

type Add = (title: string, value: Lettered) => void;

const adder =
  (forms: Forms): Add =>
  (title, value) =>
    forms.add('form', 'value', 'Qh', `RoPE’s ${title}`, value);

/** Frequencies of one set of positions. */
function addFrequencies(forms: Forms, parts: Parts, rope: Rope): void {
  if (rope.sections) return;
  const add = adder(forms);
  const plain = frequencies(parts, { ...rope, scaling: undefined, invFreq: undefined });
  const own = frequencies(parts, rope);
  const pairs = (data: Float64Array): Lettered => ({ letters: ['u'], data });
  const number = (value: number): Lettered => ({ letters: [], data: Float64Array.of(value) });
  add('frequencies', pairs(own));
  add('wavelengths', pairs(own.map((each) => (2 * Math.PI) / each)));
  add('base to the power of its exponents', pairs(own.map((each) => 1 / each)));
  add('exponents', pairs(own.map((_, pair) => pair / own.length)));
  if (!rope.scaling) return;
  add('frequencies before the scaling', pairs(plain));
  add('base to the power of the exponents', pairs(plain.map((each) => 1 / each)));
  add('wavelengths before the scaling', pairs(plain.map((each) => (2 * Math.PI) / each)));
  for (const [title, each] of scalingOf(rope, plain))
    add(title, typeof each === 'number' ? number(each) : pairs(each));
}

/** In radians per position, one for each pair. */
function frequencies({ extents }: Parts, rope: Rope): Float64Array {
  const width = extents['z'] ?? extents['a'];
  const turned = rope.features ?? width;
  const own: Rope = { ...rope, positions: undefined, queryPositions: undefined };
  const turns = turningOf({ τ: 2, a: width }, ['τ', 'a'], { ...own, firstPosition: 0 });
  const first = (pair: number): number => (rope.pairing === 'half' ? pair : 2 * pair);
  return Float64Array.from({ length: turned / 2 }, (_, pair) => turns.angle(0, 1, first(pair)));
}

/** Angles of each token, and in batches where positions are given so. */
function addTables(forms: Forms, parts: Parts, rope: Rope): void {
  const { config, extents } = parts;
  const { past, xPrime } = config;
  const width = extents['z'] ?? extents['a'];
  const own: Extents = { ...extents, u: turnedIn(parts) / 2, w: 2 };
  const sets = xPrime ? [rope.positions, rope.queryPositions] : [rope.positions];
  for (const positions of new Set(sets)) {
    const perBatch = positions && positions.shape.length > (rope.sections ? 2 : 1);
    const count = Math.max(extents['i'], extents['j'] + (past ? extents['p'] : 0));
    const tokens = positions?.shape.at(-1) ?? count;
    const letters = perBatch ? ['b', 'τ', 'u'] : ['τ', 'u'];
    const inner = { ...(perBatch && { b: extents['b'] }), τ: tokens, a: width };
    const turns = turningOf(inner, ['τ', 'a'], { ...rope, positions, firstPosition: 0 });
    const feature = (pair: number): number => (rope.pairing === 'half' ? pair : 2 * pair);
    const size = (perBatch ? extents['b'] : 1) * tokens * own['u'];
    const data = Float64Array.from({ length: size }, (_, at) => {
      const row = Math.floor(at / own['u']);
      return turns.angle(Math.floor(row / tokens), row % tokens, feature(at % own['u']));
    });
    addAngles(adder(forms), forms, { letters, data }, { ...own, τ: tokens }, rope);
  }
}

function addAngles(
  table: Add,
  forms: Forms,
  angles: Lettered,
  extents: Extents,
  { pairing, scaling }: Rope,
): void {
  table('angles', angles);
  const rest = angles.letters.slice(0, -1);
  const letters = [...rest, ...(pairing === 'half' ? ['w', 'u'] : ['u', 'w'])];
  const blank = { letters, data: new Float64Array(angles.data.length * 2) };
  const wide = zip(blank, angles, extents, (_, angle) => angle);
  table('angles of each feature', wide);
  const magnitude = magnitudeOf(scaling);
  for (const [name, size] of [
    ['', magnitude],
    [' before the magnitude', 1],
  ] as const) {
    if (name !== '' && magnitude === 1) continue;
    for (const [title, fn] of [
      ['cosines', Math.cos],
      ['sines', Math.sin],
    ] as const) {
      table(`${title}${name}`, times(mapEach(angles, fn), size));
      table(`${title} of each feature${name}`, times(mapEach(wide, fn), size));
    }
    const turns = Float64Array.from({ length: angles.data.length * 2 }, (_, at) =>
      at % 2 === 0 ? size * Math.cos(angles.data[at >> 1]) : size * Math.sin(angles.data[at >> 1]),
    );
    const all = [...angles.letters, 'w'];
    table(`rotations as complex numbers${name}`, { letters: all, data: turns });
    // The inverse rotation.
    const back = turns.map((value, at) => (at % 2 === 0 ? value : -value));
    table(`inverse rotations as complex numbers${name}`, { letters: all, data: back });
  }
  for (const [title, each] of [
    ['', angles],
    [' of each feature', wide],
  ] as const)
    forms.add(
      ...(['form', 'value', 'Qh', `−RoPE’s sines${title}`] as const),
      mapEach(each, (angle) => -magnitude * Math.sin(angle)),
    );
}

/** Q and K with each pair (u, w) turned to (−w, u), and both halves of the rotation; what does not turn is 0 there. */
function addTurned(forms: Forms, parts: Parts, rope: Rope, turning: Turning): void {
  const { extents } = parts;
  const { id, source, token, feature } = turning;
  const positions = (id.startsWith('Q') ? rope.queryPositions : undefined) ?? rope.positions;
  const rotation = { ...rope, positions, firstPosition: 0 };
  const turns = turningOf(extents, [token, feature], rotation);
  const width = extents[feature];
  const turned = rope.features ?? width;
  const size = magnitudeOf(rope.scaling);
  const isFirst = (at: number): boolean =>
    rope.pairing === 'interleaved' ? at % 2 === 0 : at < turned / 2;
  for (const kind of ['value', 'gradient'] as const) {
    const { letters, data } = kind === 'value' ? valueOf(parts, source) : gradientOf(parts, id);
    if (letters.at(-1) !== feature || !letters.includes(token)) continue;
    const sizeOfAll = (some: readonly Letter[]): number =>
      some.reduce((total, letter) => total * extents[letter], 1);
    const after = sizeOfAll(letters.slice(letters.indexOf(token) + 1));
    const entry = letters[0] === 'b' ? sizeOfAll(letters.slice(1)) : data.length;
    const name = kind === 'value' ? source : `d${id}`;
    const add = (title: string, of: (value: number, beside: number, angle: number) => number) =>
      forms.add('partial', kind, source, title, {
        letters,
        data: data.map((value, at) => {
          const own = at % width;
          if (own >= turned) return 0;
          const beside = data[at - own + turns.partner(own)] * (isFirst(own) ? -1 : 1);
          const place = Math.floor(at / after) % extents[token];
          return of(value, beside, turns.angle(Math.floor(at / entry), place, own));
        }),
      });
    add(`${name} turned by a quarter`, (_, beside) => beside);
    add(`${name} cos θ`, (value, _, θ) => value * size * Math.cos(θ));
    add(`${name} turned, sin θ`, (_, beside, θ) => beside * size * Math.sin(θ));
    add(`${name} sin θ`, (value, _, θ) => value * size * Math.sin(θ));
    if (kind === 'gradient')
      add(`−${name} turned, sin θ`, (_, beside, θ) => -beside * size * Math.sin(θ));
  }
}
