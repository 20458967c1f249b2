// What a person has answered about a setup that was inferred, put into it. Pure.
import type { HeadConfig } from '../engine/config.ts';
import type { Question } from '../lines/infer/types.ts';

type Put = (config: HeadConfig, value: unknown) => HeadConfig | null;

function withoutProjection(config: HeadConfig): HeadConfig {
  const weights = { ...config.weights };
  delete weights.W_O;
  delete weights.b_O;
  return { ...config, weights };
}

function withoutRope(config: HeadConfig): HeadConfig {
  const plain: { rope?: unknown } & HeadConfig = { ...config };
  delete plain.rope;
  return plain;
}

/** Of the entries that an answer can change without another one's tensors; null for what cannot be put in. */
const PUT: Readonly<Record<string, Put>> = {
  mask: (config, mask) =>
    mask === 'none' || mask === 'causal' || mask === 'causal-bottom-right'
      ? { ...config, mask }
      : null,
  scale: (config, scale) =>
    typeof scale === 'number' || scale === '1/sqrt(d)' ? { ...config, scale } : null,
  window: (config, window) => (typeof window === 'number' ? { ...config, window } : null),
  rope: (config, value) => (value === 'none' ? withoutRope(config) : null),
  'rope.base': (config, base) =>
    typeof base === 'number' && config.rope ? { ...config, rope: { ...config.rope, base } } : null,
  'weights.W_O': (config, value) => (value === 'none' ? withoutProjection(config) : null),
};

const put = (config: HeadConfig, entry: string, value: unknown): HeadConfig | null =>
  Object.hasOwn(PUT, entry) ? PUT[entry](config, value) : null;

export const withAnswers = (
  config: HeadConfig,
  answers: Readonly<Record<string, unknown>>,
): HeadConfig =>
  Object.entries(answers).reduce(
    (changed, [entry, value]) => put(changed, entry, value) ?? changed,
    config,
  );

/** The alternatives to the guess that can be put in. */
export const choicesOf = (
  config: HeadConfig,
  { entry, alternatives }: Question,
): readonly unknown[] => alternatives.filter((value) => put(config, entry, value));
