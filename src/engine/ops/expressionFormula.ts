// A loss expression, parsed by mathjs, as a formula.
import type { FunctionNode, MathNode, OperatorNode } from 'mathjs';
import type { AxisLetters, Letter } from '../axes.ts';
import {
  call,
  type Formula,
  fraction,
  minus,
  number,
  plus,
  power,
  product,
  sum,
  symbol,
} from '../formula.ts';
import { isConstant, isFunction, isOperator, isParenthesis, isSymbol } from './expression.ts';

export interface Scope {
  /** The symbol of y. */
  readonly y: Formula;
  readonly axes: readonly AxisLetters[];
  /** Known numbers by name; what else has a name is a tensor of y's shape. */
  readonly numbers: ReadonlyMap<string, number>;
}

type Write = (a: Formula, b: Formula) => Formula;

const OPERATORS: Readonly<Record<string, Write>> = {
  '+': (a, b) => plus(a, b),
  '-': minus,
  '*': (a, b) => product(a, b),
  '/': fraction,
  '^': power,
};

/** The expression as it stands, of what `compiled` accepts; anything else throws RangeError. */
export function formulaOf(node: MathNode, scope: Scope): Formula {
  if (isParenthesis(node)) return formulaOf(node.content, scope);
  if (isConstant(node)) return number(node.value);
  if (isFunction(node)) return ofFunction(node, scope);
  if (isOperator(node)) return ofOperator(node, scope);
  if (!isSymbol(node)) throw new RangeError(`${node.type} is no formula`);
  if (node.name === 'y') return scope.y;
  const known = scope.numbers.get(node.name);
  return known === undefined ? symbol(node.name, scope.axes) : number(known);
}

function ofOperator(node: OperatorNode, scope: Scope): Formula {
  const [a, b] = node.args.map((each) => formulaOf(each, scope));
  const op = (node.op as string).replace(/^\./, '');
  if (b === undefined) return op === '-' ? product(number(-1), a) : a;
  return OPERATORS[op](a, b);
}

const square = (x: Formula): Formula => power(x, number(2));

function ofFunction(node: FunctionNode, scope: Scope): Formula {
  const [a, b] = node.args.map((each) => formulaOf(each, scope));
  const letters: Letter[] = scope.axes.flat();
  const log = (x: Formula): Formula => call('log', x);
  switch (isSymbol(node.fn) ? node.fn.name : '') {
    case 'sum':
      return sum(letters, a);
    case 'mean':
      return fraction(sum(letters, a), sum(letters, number(1)));
    case 'dot':
      return sum(letters, product(a, b));
    case 'norm':
      return call('sqrt', sum(letters, square(a)));
    case 'pow':
      return power(a, b);
    case 'log':
      return b === undefined ? log(a) : fraction(log(a), log(b));
    case 'log2':
      return fraction(log(a), number(Math.LN2));
    case 'log10':
      return fraction(log(a), number(Math.LN10));
    case 'square':
      return square(a);
    case 'cube':
      return power(a, number(3));
    default:
      return call((node.fn as unknown as { name: string }).name, a);
  }
}
