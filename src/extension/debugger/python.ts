// Expressions for a paused Python program: they bind no name of its, and call nothing by a name that it may have bound.
import type { Block } from './blocks.ts';
import { PYTHON_SOURCE } from './pythonSource.ts';
import type { Language, ProgramTensor } from './tensor.ts';

const BUILTINS = "__import__('builtins')";
const IDENTIFIER = /^[\p{L}_][\p{L}\p{N}_]*$/u;
const KEYWORDS = new Set(['None', 'True', 'False']);

/** JSON's texts, numbers and lists are Python's, too. */
const literal = (value: string | number | readonly number[]): string => JSON.stringify(value);

/** An Answer with what one of the source's functions gives. The arguments are evaluated in the frame. */
const answer = (name: string, ...args: readonly string[]): string =>
  `(lambda space: (${BUILTINS}.exec(${literal(PYTHON_SOURCE)}, space), ` +
  `lambda *args: space['Answer'](lambda: space['${name}'](*args)))[1])({})(${args.join(', ')})`;

export const python: Language = {
  list(names) {
    const usable = names.filter((name) => IDENTIFIER.test(name) && !KEYWORDS.has(name));
    const plain = usable.filter((name) => !name.startsWith('__'));
    return answer('listed', `{${plain.map((name) => `${literal(name)}: ${name}`).join(', ')}}`);
  },
  describe: (expression) => answer('described', literal(expression), `(${expression})`),
  read({ expression, shape, dtype }: ProgramTensor, { prefix, from, to, rowShape }: Block) {
    const where = [literal(prefix), literal(from), literal(to), literal(rowShape)];
    return answer('entries_of', `(${expression})`, literal(shape), literal(dtype), ...where);
  },
  slice: (expression, from, to) => `${BUILTINS}.repr(${expression})[${from}:${to}]`,
};
