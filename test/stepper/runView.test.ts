// What there is to see of a run as a whole: nodes, axes, equations, the slider's captions.
import { describe, expect, test } from 'vitest';
import { Session } from '../../src/stepper/session.ts';
import { captionOf } from '../../src/stepper/timeline.ts';
import { exampleRun, runOf, smallExampleNames } from '../support/setups.ts';

const about = { title: 'A title', description: 'A description.', energy: false };
const viewOf = async (name: string) => new Session(await exampleRun(name), about).runView();

test.each(smallExampleNames)(
  '%s: nodes as in the graph, a summary and a picture each',
  async (name) => {
    const session = new Session(await exampleRun(name), about);
    const { graph } = session.run;
    const { nodes, ...rest } = session.runView();
    expect(rest).toMatchObject({
      title: 'A title',
      description: 'A description.',
      extents: graph.extents,
    });
    expect(nodes.map(({ id, kind, shape }) => ({ id, kind, shape }))).toEqual(
      graph.nodes.map(({ id, kind, shape }) => ({ id, kind, shape })),
    );
    for (const { id, summary, axes, shape, value } of nodes) {
      expect(summary, id).toMatch(/\.$/);
      expect(axes, id).toHaveLength(shape.length);
      expect(value.shape).toEqual(shape);
    }
  },
);

test.each(smallExampleNames)(
  '%s: captions for every tick, the first backward one known',
  async (name) => {
    const session = new Session(await exampleRun(name), about);
    const { ticks, backwardFrom } = session.runView();
    expect(ticks).toEqual(session.timeline.ticks.map((tick) => captionOf(session.timeline, tick)));
    expect(ticks.findIndex((caption) => caption.startsWith('backward'))).toBe(backwardFrom);
  },
);

test.each([
  ['exercise', 1],
  ['causal-qkv', 1],
  ['gpt2-heads', 12],
  ['grouped-queries', 8],
])('%s has %i query heads', async (name, heads) => {
  expect((await viewOf(name)).heads).toBe(heads);
});

test('axes by name and letter', async () => {
  const { nodes } = await viewOf('grouped-queries');
  const axes = Object.fromEntries(nodes.map((node) => [node.id, node.axes]));
  expect(axes['P']).toEqual(['head (r g)', 'query j', 'key i']);
  expect(axes['Kh']).toEqual(['kv head r', 'key i', 'feature a']);
  expect(axes['f']).toEqual([]);
});

describe('x', () => {
  test('stands on both sides in self-attention', async () => {
    const { nodes, selfAttention } = await viewOf('self-attention');
    expect(selfAttention).toBe(true);
    expect(nodes[0]).toMatchObject({
      id: 'x',
      summary: 'The tokens, on both sides: self-attention.',
    });
  });

  test('stands on the keys’ side in cross-attention', async () => {
    const { nodes, selfAttention } = await viewOf('cross-attention');
    expect(selfAttention).toBe(false);
    expect(nodes[0]).toMatchObject({ id: 'x', summary: "The tokens on the keys' side." });
  });
});

test('notices and breakpoints are passed on', async () => {
  const x = [
    [1, 'nan'],
    [2, 3],
  ];
  const session = new Session(
    await runOf({ head: 'kq', x, weights: { W_K: [[1], [1]], W_Q: [[1], [1]] } }),
    about,
  );
  session.toggleBreakpoint('P');
  const { notices, breakpoints } = session.runView();
  expect(notices).toEqual(['NaN is given in x[0, 1]']);
  expect(breakpoints).toEqual(['P']);
});
