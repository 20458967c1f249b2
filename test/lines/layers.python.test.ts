// Programs with several attentions, and with something around one: which is asked, and no right program accused.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { compare } from '../../src/compare/check.ts';
import { resolveName } from '../../src/formats/nodeNames.ts';
import { detailsOf, tensorsOf } from '../../src/lineRun/details.ts';
import { answer, type Answer } from '../../src/lineRun/answer.ts';
import { type Recording } from '../../src/lines/recorded/recording.ts';
import { hasNumpy, hasTorch, recorded } from '../support/recorded.ts';

vi.setConfig({ testTimeout: 120_000 });

const sourceOf = (name: string): string =>
  readFileSync(join(import.meta.dirname, 'kinds', `${name}.py`), 'utf8');

const record = (source: string): Recording => recorded(source).recording;

const asked = (source: string, layer?: number): Answer | null =>
  answer(record(source), {
    ...{ file: 'program.py', args: [] },
    ...(layer !== undefined && { layer }),
  });

const lineOf = (source: string, text: string): number =>
  source.slice(0, source.indexOf(text)).split('\n').length;

const edited = (source: string, from: string, to: string): string => {
  expect(source.split(from), from).toHaveLength(2);
  return source.replace(from, to);
};

describe.skipIf(!hasTorch)('two layers around a residual stream', () => {
  const right = sourceOf('layers');
  const oneWrong = edited(
    right,
    'self.second = SelfAttention(12, 3)',
    'self.second = SelfAttention(12, 3)\n        self.second.scale = math.sqrt(12)',
  );

  test('are right, each asked by its number', () => {
    expect(asked(right)?.result.verdict).toBe('match');
    expect(asked(right)?.config.heads).toBe(2);
    const second = asked(right, 2);
    expect(second?.result.verdict).toBe('match');
    expect(second?.config.heads).toBe(3);
    expect(asked(right, 3)).toBeNull();
  });

  test('of which the second is wrong: the first is right', () => {
    expect(asked(oneWrong)?.result.verdict).toBe('match');
    expect(asked(oneWrong, 2)?.result).toMatchObject({
      verdict: 'diverges',
      first: { line: lineOf(oneWrong, 'self.second.scale'), node: 'Z' },
    });
  });
});

describe.skipIf(!hasTorch)('what follows from a mistake', () => {
  const wrong = edited(
    edited(sourceOf('layers'), 'torch.softmax(s, dim=-1)', 'torch.softmax(s, dim=-2)'),
    'loss = model(x)',
    'y = model.first(x)\nloss = y',
  );

  test('is y where it is the output, not where another step of that name comes first', () => {
    const recording = record(wrong);
    const found = answer(recording, { file: 'program.py', args: [] })!;
    const named = detailsOf(recording, found)
      .filter(({ line, place }) => line.status === 'consequence' && place?.node === 'y')
      .map(({ line }) => line.line);
    expect(named).toContain(lineOf(wrong, 'y = model.first(x)'));
    expect(named).not.toContain(lineOf(wrong, 'y = (p @ v)'));
    // So nothing else is told of it than that it follows.
    const { config, graph } = found;
    const trace = tensorsOf(recording, found);
    expect(trace.map(({ name }) => name)).toContain('y');
    const { causes } = compare({ config, graph, trace, names: {}, resolve: resolveName }).report;
    expect(causes.map(({ id }) => id)).toEqual(['softmax-wrong-axis']);
  });
});

describe.skipIf(!hasNumpy)('several results in one statement', () => {
  const right = sourceOf('together');

  test.each(['q', 'k'])(
    'the scale of d%s is missing where it is computed, not where it is used',
    (of) => {
      const [from, to] =
        of === 'q'
          ? ['dq = ds @ k / np.sqrt(D)', 'dq = ds @ k']
          : ['dk = ds.T @ q / np.sqrt(D)', 'dk = ds.T @ q'];
      const wrong = edited(right, from, to);
      const found = asked(wrong);
      expect(found?.result.first?.line).toBe(lineOf(wrong, to));
      expect(found?.result.causes[0]?.id).toBe('backward-scale-missing');
    },
  );

  test('right', () => {
    expect(asked(right)?.result.verdict).toBe('match');
  });
});
