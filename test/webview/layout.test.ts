// The graph's drawing: no card on another, no edge through a card or over another edge, no label on anything.
import { describe, expect, it } from 'vitest';
import { fitGraph } from '../../media/graph/fit.ts';
import { type Box, type GraphLayout, layoutGraph } from '../../media/graph/layout.ts';
import { samplesOf } from '../../media/graph/path.ts';
import type { Point, Route } from '../../media/graph/routes.ts';
import { SMALLEST_SCALE, WHOLE_SCALE } from '../../media/graph/sizes.ts';
import { nameParts } from '../../media/names.tsx';
import type { HeadConfig } from '../../src/engine/config.ts';
import { buildGraph } from '../../src/engine/heads/build.ts';
import { isParameter } from '../../src/engine/nodes.ts';
import { tensor } from '../../src/engine/tensor.ts';

const ones = (...shape: number[]) =>
  tensor(
    shape,
    Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 1),
  );

const base = { heads: 1, kvHeads: 1, mask: 'none', loss: { kind: 'half-squared-norm' } } as const;

/** A third of them, spread evenly: every pair is among them. */
const some = <T>(all: T[]): T[] => all.filter((_, n) => n % 7 === 0 || n % 5 === 0);

/** Every combination of the given options. */
function combinations(
  options: Record<string, readonly Partial<HeadConfig>[]>,
): [string, Partial<HeadConfig>][] {
  return Object.entries(options).reduce<[string, Partial<HeadConfig>][]>(
    (all, [name, choices]) =>
      all.flatMap(([label, config]) =>
        choices.map((choice, n): [string, Partial<HeadConfig>] => [
          n === 0 ? label : `${label} ${name}`,
          { ...config, ...choice, weights: { ...config.weights, ...choice.weights } },
        ]),
      ),
    [['', {}]],
  );
}

const steps = {
  scale: [{}, { scale: 0.5 }],
  mask: [{}, { mask: 'causal' as const }],
  dropout: [{}, { dropout: { p: 0.5, keep: ones(1, 1) } }],
};

const norm = { kind: 'layer', eps: 1e-5, over: 'head', place: 'before-rope' } as const;

/** What models of today have beyond the Transformer's module. */
const options = {
  norm: [
    {},
    { qkNorm: norm },
    { qkNorm: norm, weights: { gamma_K: ones(2), gamma_Q: ones(2) } },
    {
      qkNorm: { ...norm, place: 'after-rope' as const },
      weights: { gamma_K: ones(2), gamma_Q: ones(2), beta_K: ones(2), beta_Q: ones(2) },
    },
  ],
};

const besides = {
  content: [{}, { xPrime: ones(3, 4), xValue: ones(4, 4) }],
  sinks: [{}, { weights: { sinks: ones(2) } }],
  gate: [
    {},
    { weights: { W_gate: ones(4, 2) } },
    { weights: { W_gate: ones(4, 4), b_gate: ones(4) } },
  ],
  scales: [{}, { weights: { headScale: ones(2) }, temperature: { logN: 512 } }],
  nulls: [{}, { zeroKey: true }, { weights: { null_K: ones(4), null_V: ones(4) } }],
};

const cases: [string, HeadConfig][] = [
  ...combinations({
    ...steps,
    cross: [{}, { xPrime: ones(3, 2) }],
    bias: [{}, { weights: { b_K: ones(2), b_Q: ones(2) } }],
  }).map(([label, config]): [string, HeadConfig] => [
    `kq${label}`,
    {
      ...base,
      axes: 'key-first',
      head: 'kq',
      x: ones(4, 2),
      ...config,
      weights: { W_K: ones(2, 2), W_Q: ones(2, 2), ...config.weights },
    },
  ]),
  ...combinations({
    ...steps,
    cross: [{}, { xPrime: ones(3, 2) }],
    bias: [{}, { weights: { b_V: ones(2) } }],
  }).map(([label, config]): [string, HeadConfig] => [
    `qkv${label}`,
    {
      ...base,
      axes: 'query-first',
      head: 'qkv',
      x: ones(4, 2),
      ...config,
      weights: { W_K: ones(2, 2), W_Q: ones(2, 2), W_V: ones(2, 2), ...config.weights },
    },
  ]),
  ...combinations({
    ...steps,
    cross: [{}, { xPrime: ones(3, 4) }],
    output: [{}, { weights: { W_O: ones(4, 4) } }],
    bias: [{}, { weights: { b_K: ones(4), b_Q: ones(4), b_V: ones(4), b_O: ones(4) } }],
  }).map(([label, config]): [string, HeadConfig] => [
    `multihead${label}`,
    {
      ...base,
      heads: 2,
      kvHeads: 2,
      axes: 'query-first',
      head: 'multihead',
      x: ones(4, 4),
      ...config,
      weights: { W_K: ones(4, 4), W_Q: ones(4, 4), W_V: ones(4, 4), ...config.weights },
    },
  ]),
  ...some(
    combinations({
      ...options,
      ...besides,
      cross: [{}, { xPrime: ones(3, 4) }],
      bias: [{}, { weights: { b_K: ones(4), b_Q: ones(4), b_V: ones(4), b_O: ones(4) } }],
    }),
  ).map(([label, config]): [string, HeadConfig] => [
    `options${label}`,
    {
      ...{ ...base, heads: 2, kvHeads: 2, axes: 'query-first', head: 'multihead', mask: 'causal' },
      x: ones(4, 4),
      ...config,
      weights: {
        ...{ W_K: ones(4, 4), W_Q: ones(4, 4), W_V: ones(4, 4), W_O: ones(4, 4) },
        ...config.weights,
      },
    },
  ]),
  ...[
    { block: { residual: true, preNorm: norm }, weights: { gamma_pre: ones(4) } },
    { block: { residual: true, outputNorm: norm, postNorm: norm }, xPrime: ones(3, 4) },
    {
      ...{ block: { residual: true, preNorm: norm }, xPrime: ones(3, 4) },
      weights: { gamma_pre: ones(4), beta_pre: ones(4) },
    },
  ].map((config, n): [string, HeadConfig] => [
    `layer ${n}`,
    {
      ...{ ...base, heads: 2, kvHeads: 2, axes: 'query-first', head: 'multihead', mask: 'causal' },
      x: ones(4, 4),
      ...config,
      weights: {
        ...{ W_K: ones(4, 4), W_Q: ones(4, 4), W_V: ones(4, 4), W_O: ones(4, 4) },
        ...config.weights,
      },
    },
  ]),
  ...combinations({
    queries: [
      {},
      {
        weights: {
          ...{ W_DQ: ones(4, 3), W_Q: ones(3, 4), W_QR: ones(3, 4), gamma_DQ: ones(3) },
        },
      },
    ],
    gain: [{}, { weights: { gamma_DKV: ones(3) } }],
    cross: [{}, { xPrime: ones(3, 4) }],
    layer: [
      {},
      {
        block: { residual: true, preNorm: norm },
        weights: { gamma_pre: ones(4), W_O: ones(4, 4) },
      },
    ],
    bias: [{}, { weights: { b_K: ones(4), b_Q: ones(4), b_V: ones(4) } }],
  }).map(([label, config]): [string, HeadConfig] => [
    `latents${label}`,
    {
      ...{ ...base, heads: 2, kvHeads: 2, axes: 'query-first', head: 'multihead', mask: 'causal' },
      rope: { base: 10000, pairing: 'half' },
      x: ones(4, 4),
      ...config,
      weights: {
        ...{ W_DKV: ones(4, 3), W_K: ones(3, 4), W_V: ones(3, 4), W_Q: ones(4, 4) },
        ...{ W_KR: ones(4, 2), W_QR: ones(4, 4), W_O: ones(4, 4) },
        ...config.weights,
      },
    },
  ]),
  ...combinations({
    norm: [{}, { qkNorm: norm, weights: { gamma_K: ones(2), gamma_Q: ones(2), beta_Q: ones(2) } }],
    dropout: [{}, { dropout: { p: 0.5, keep: ones(1, 1) } }],
    cross: [{}, { xPrime: ones(3, 4) }],
    gate: [{}, { weights: { W_gate: ones(4, 4), b_gate: ones(4) } }],
    sinks: [{}, { weights: { sinks: ones(4), gamma_O: ones(2) } }],
    bias: [{}, { weights: { b_K: ones(8), b_Q: ones(8), b_V: ones(4), b_O: ones(4) } }],
  }).map(([label, config]): [string, HeadConfig] => [
    `pairs${label}`,
    {
      ...{ ...base, heads: 2, kvHeads: 2, axes: 'query-first', head: 'multihead', mask: 'causal' },
      differential: { lambdaInit: 0.8, norm: { kind: 'rms', eps: 1e-5 } },
      x: ones(4, 4),
      ...config,
      weights: {
        ...{ W_K: ones(4, 8), W_Q: ones(4, 8), W_V: ones(4, 4), W_O: ones(4, 4) },
        ...{ lambda_q1: ones(2), lambda_k1: ones(2), lambda_q2: ones(2), lambda_k2: ones(2) },
        ...config.weights,
      },
    },
  ]),
  [
    'multihead from given projections',
    {
      ...base,
      heads: 2,
      kvHeads: 2,
      head: 'multihead',
      axes: 'query-first',
      weights: {},
      start: { Q: ones(3, 4), K: ones(4, 4), V: ones(4, 4) },
    },
  ],
];

interface Rect {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

const rectOf = ({ x, y, size }: Box): Rect => ({
  left: x,
  right: x + size.width,
  top: y,
  bottom: y + size.height,
});
const overlap = (a: Rect, b: Rect, margin: number): boolean =>
  a.left < b.right + margin &&
  b.left < a.right + margin &&
  a.top < b.bottom + margin &&
  b.top < a.bottom + margin;
const inside = ({ x, y }: Point, { left, right, top, bottom }: Rect, margin: number): boolean =>
  x > left - margin && x < right + margin && y > top - margin && y < bottom + margin;

/** The label of a gradient is about this large: "dW_K" in italics of 13 units. */
function labelRect({ label, operand }: Route): Rect {
  const { base: letters, subscript } = nameParts(`d${operand}`);
  const width = 8.5 * letters.replace('W', 'WW').length + 7 * subscript.length - 2;
  const left =
    label.anchor === 'start'
      ? label.x
      : label.anchor === 'end'
        ? label.x - width
        : label.x - width / 2;
  return { left, right: left + width, top: label.y - 6, bottom: label.y + 6 };
}

/** Everything that is wrong with a drawing, in words. */
function faults({ boxes, routes, width, height }: GraphLayout): string[] {
  const found: string[] = [];
  const whole = { left: 0, top: 0, right: width, bottom: height };
  const samples = routes.map(({ points }) => samplesOf(points, 1.5));
  const name = ({ operand, user }: Route): string => `${operand} -> ${user}`;
  for (const [n, box] of boxes.entries()) {
    const rect = rectOf(box);
    const { left, top, right, bottom } = rect;
    if (left < whole.left || top < whole.top || right > whole.right || bottom > whole.bottom) {
      found.push(`${box.id} lies outside`);
    }
    for (const other of boxes.slice(n + 1)) {
      if (overlap(rect, rectOf(other), 4)) found.push(`${box.id} lies on ${other.id}`);
    }
  }
  for (const [n, route] of routes.entries()) {
    const label = labelRect(route);
    for (const box of boxes) {
      const own = box.id === route.operand || box.id === route.user;
      const rect = rectOf(box);
      if (samples[n].some((point) => inside(point, rect, own ? -0.5 : 2))) {
        found.push(`${name(route)} runs through ${box.id}`);
      }
      // It has a halo: touching a border is no harm.
      if (overlap(label, rect, -2)) found.push(`the label of ${name(route)} lies on ${box.id}`);
    }
    for (const [m, other] of routes.entries()) {
      if (m === n) continue;
      if (samples[m].some((point) => inside(point, label, 0))) {
        found.push(`${name(other)} runs through the label of ${name(route)}`);
      }
      if (m < n) continue;
      if (route.user === other.user && overlap(label, labelRect(other), 0))
        found.push(`labels of ${name(route)}, ${name(other)} overlap`);
      if (samples[n].some((a) => samples[m].some((b) => Math.hypot(a.x - b.x, a.y - b.y) < 4))) {
        found.push(`${name(route)} touches ${name(other)}`);
      }
    }
  }
  return found;
}

describe('layout of the graph', () => {
  it.each(cases)('%s', (_, config) => {
    const nodes = buildGraph(config).nodes.map((node) => ({
      id: node.id,
      inputs: node.kind === 'input' ? [] : node.inputs,
    }));
    for (const style of ['wide', 'tall', 'low', 'small'] as const) {
      const layout = layoutGraph(nodes, style);
      expect(layout.boxes).toHaveLength(nodes.length);
      expect(layout.routes).toHaveLength(nodes.reduce((sum, { inputs }) => sum + inputs.length, 0));
      expect(faults(layout), style).toEqual([]);
    }
  });

  it('reads from left to right', () => {
    for (const [, config] of cases) {
      const nodes = buildGraph(config).nodes.map((node) => ({
        id: node.id,
        inputs: node.kind === 'input' ? [] : node.inputs,
      }));
      const { boxes } = layoutGraph(nodes, 'wide');
      const left = (id: string): number => boxes.find((box) => box.id === id)?.x ?? NaN;
      for (const { id, inputs } of nodes) {
        for (const input of inputs)
          if (!isParameter(input)) expect(left(input)).toBeLessThan(left(id));
      }
    }
  });

  it('keeps its text readable and fits the exercise into a narrow column', () => {
    const nodes = buildGraph(cases[0][1]).nodes.map((node) => ({
      id: node.id,
      inputs: node.kind === 'input' ? [] : node.inputs,
    }));
    for (const width of [200, 396, 600, 808, 1600]) {
      const { layout, scale } = fitGraph(nodes, width);
      expect(scale).toBeGreaterThanOrEqual(WHOLE_SCALE);
      if (width >= 396) expect(layout.width * scale).toBeLessThanOrEqual(width + 0.01);
    }
  });

  it('is a little smaller where that shows it whole, and is scrolled below that', () => {
    const nodes = buildGraph(cases[0][1]).nodes.map((node) => ({
      id: node.id,
      inputs: node.kind === 'input' ? [] : node.inputs,
    }));
    const small = layoutGraph(nodes, 'small');
    for (const [scale, shown] of [
      [0.99 * SMALLEST_SCALE, 0.99 * SMALLEST_SCALE],
      [1.01 * WHOLE_SCALE, 1.01 * WHOLE_SCALE],
      [0.99 * WHOLE_SCALE, SMALLEST_SCALE],
    ])
      expect(fitGraph(nodes, scale * small.width, 1e4).scale).toBeCloseTo(shown, 9);
    const asked = fitGraph(nodes, 0.2 * small.width, 1e4, 1e4, 0);
    expect(asked.scale).toBeCloseTo(0.2, 9);
  });

  it('takes more of the height where the graph would be cut, and only where that shows it whole', () => {
    const nodes = buildGraph(cases[0][1]).nodes.map((node) => ({
      id: node.id,
      inputs: node.kind === 'input' ? [] : node.inputs,
    }));
    const heightIn = (width: number, height: number, most?: number): number => {
      const { layout, scale } = fitGraph(nodes, width, height, most);
      return layout.height * scale;
    };
    expect(heightIn(342, 150)).toBeGreaterThan(150);
    expect(heightIn(342, 150, 250)).toBeGreaterThan(heightIn(342, 150));
    expect(heightIn(342, 150, 250)).toBeLessThanOrEqual(250.01);
    expect(heightIn(200, 150, 250)).toBe(heightIn(200, 150));
    expect(heightIn(342, 400, 500)).toBe(heightIn(342, 400));
  });
});
