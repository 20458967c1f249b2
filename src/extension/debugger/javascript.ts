// Expressions for a paused JavaScript program: one call of a function that is sent with it.
import { sizeOf } from '../../engine/tensor.ts';
import type { Block } from './blocks.ts';
import { programSide } from './javascriptSource.ts';
import type { Language, ProgramTensor } from './tensor.ts';

const IDENTIFIER = /^[\p{L}_$][\p{L}\p{N}_$]*$/u;

const call = (name: keyof ReturnType<typeof programSide>, ...args: readonly string[]): string =>
  `(${programSide.toString()})().${name}(${args.join(', ')})`;

export const javascript: Language = {
  list(names) {
    const usable = [...new Set(names)].filter((name) => IDENTIFIER.test(name));
    return call('list', `[${usable.map((name) => `['${name}', () => ${name}]`).join(', ')}]`);
  },
  describe: (expression) => call('describe', JSON.stringify(expression), `() => (${expression})`),
  read: ({ expression, shape }: ProgramTensor, block: Block) =>
    call('read', `() => (${expression})`, JSON.stringify({ ...block, size: sizeOf(shape) })),
  slice: (expression, from, to) => `${expression}.slice(${from}, ${to})`,
};
