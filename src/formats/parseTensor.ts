// Reads the three ways to write a tensor in a setup: nested arrays, a file and its key, random numbers.
import type { Node } from 'jsonc-parser';
import { sizeOf } from '../engine/tensor.ts';
import { inlineTensor } from './inlineTensor.ts';
import { MAX_AXES, MAX_ENTRIES } from './limits.ts';
import { RANDOM_DEFAULTS, type RandomSpec } from './random.ts';
import type { ProblemList } from './setupProblems.ts';
import { describe, number, object, oneOf, type Read, text } from './setupReader.ts';
import type { Path, TensorSource } from './setupTypes.ts';

const EXPECTED = 'nested arrays of numbers, {"file": …, "key": …} or {"random": …, "shape": …}';
/** Reads T; `otherwise` says what else may stand there, for the message. */
export type ReadTensor = (node: Node, path: Path, otherwise?: string) => TensorSource | undefined;

/** A reader of T. All tensors that one reader reads share the bound MAX_ENTRIES. */
export function tensorSource(problems: ProblemList): ReadTensor {
  let entries = 0;
  const fits = (path: Path, more: number): boolean => {
    const before = entries;
    entries += more;
    if (entries <= MAX_ENTRIES) return true;
    if (before > MAX_ENTRIES) return false;
    problems.error(
      path,
      `found ${entries} entries up to here, expected at most ${MAX_ENTRIES} in one setup`,
    );
    return false;
  };
  const file = fileSource(problems);
  const random = randomSource(problems);
  return (node, path, otherwise) => {
    if (node.type === 'array') {
      const source = inlineTensor(problems, node, path);
      return source && fits(path, sizeOf(source.tensor.shape)) ? source : undefined;
    }
    const keys =
      node.type === 'object' ? (node.children ?? []).map((child) => child.children?.[0].value) : [];
    if (keys.includes('random')) {
      const source = random(node, path);
      return source && fits([...path, 'shape'], sizeOf(source.spec.shape)) ? source : undefined;
    }
    if (keys.includes('file')) return file(node, path);
    problems.error(
      path,
      `found ${describe(node)}, expected ${otherwise === undefined ? '' : `${otherwise}, `}${EXPECTED}`,
    );
    return undefined;
  };
}

function fileSource(problems: ProblemList): Read<TensorSource> {
  const read = object<{ file: string; key: string }>(problems, {
    file: text(problems),
    key: text(problems),
  });
  return (node, path) => {
    const { file, ...key } = read(node, path) ?? {};
    return file === undefined ? undefined : { kind: 'file', file, ...key };
  };
}

type RandomFields = Omit<RandomSpec, 'distribution'> & { random: RandomSpec['distribution'] };

function randomSource(problems: ProblemList): Read<TensorSource & { kind: 'random' }> {
  const finite = number(problems, 'a number');
  const read = object<RandomFields>(problems, {
    random: oneOf(problems, ['normal', 'uniform']),
    shape: shape(problems),
    seed: number(
      problems,
      'an integer from 0 to 2^32 - 1',
      (value) => Number.isInteger(value) && value >= 0 && value < 2 ** 32,
    ),
    mean: finite,
    std: number(problems, 'a number from 0', (value) => value >= 0),
    low: finite,
    high: finite,
  });
  return (node, path) => {
    const fields = read(node, path);
    if (!fields) return undefined;
    const { random: distribution, ...rest } = fields;
    if (!node.children?.some((child) => child.children?.[0].value === 'shape')) {
      problems.error(
        path,
        'found no "shape", expected one, as in {"random": "normal", "shape": [5, 8]}',
      );
    }
    for (const name of distribution === 'normal'
      ? (['low', 'high'] as const)
      : (['mean', 'std'] as const)) {
      if (distribution === undefined || rest[name] === undefined) continue;
      const expected = distribution === 'normal' ? '"mean" and "std"' : '"low" and "high"';
      problems.error([...path, name], `found with "${distribution}", which takes ${expected}`);
    }
    const spec = { ...RANDOM_DEFAULTS, ...rest };
    if (spec.low > spec.high) problems.error(path, `found low ${spec.low} above high ${spec.high}`);
    if (distribution === undefined || rest.shape === undefined) return undefined;
    return { kind: 'random', spec: { ...spec, distribution, shape: rest.shape } };
  };
}

function shape(problems: ProblemList): Read<readonly number[]> {
  return (node, path) => {
    const lengths = node.children?.map((child): unknown => child.value) ?? [];
    const isLength = (value: unknown) => Number.isSafeInteger(value) && Number(value) >= 1;
    if (
      node.type !== 'array' ||
      lengths.length === 0 ||
      lengths.length > MAX_AXES ||
      !lengths.every(isLength)
    ) {
      const found =
        node.type === 'array' ? `[${lengths.slice(0, MAX_AXES).join(', ')}]` : describe(node);
      problems.error(path, `found ${found}, expected an array of 1 to ${MAX_AXES} integers from 1`);
      return undefined;
    }
    const result = lengths.map(Number);
    if (sizeOf(result) <= MAX_ENTRIES) return result;
    problems.error(path, `found [${result.join(', ')}], expected at most ${MAX_ENTRIES} entries`);
    return undefined;
  };
}
