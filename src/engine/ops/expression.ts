// Expressions in mathjs' syntax, parsed by it and evaluated here together with their derivative (dual numbers).
import { create, parseDependencies } from 'mathjs/number';
import type { ConstantNode, FunctionNode, MathNode, OperatorNode, SymbolNode } from 'mathjs';
import { ConfigError } from '../config.ts';

let parser: { readonly parse: (expression: string) => MathNode } | undefined;

/** Only mathjs' parser, and made where it is needed: it would take a good part of the time that a small setup takes. */
function parse(expression: string): MathNode {
  parser ??= create({ parseDependencies });
  return parser.parse(expression);
}

/** A value and its derivative by whatever is differentiated by. */
export interface Dual {
  readonly value: number;
  readonly slope: number;
}

const ENTRY = 'loss.expression';
const MAX_LENGTH = 2000;
const LONGEST_QUOTE = 80;

export const isConstant = (node: MathNode): node is ConstantNode => node.type === 'ConstantNode';
export const isFunction = (node: MathNode): node is FunctionNode => node.type === 'FunctionNode';
export const isOperator = (node: MathNode): node is OperatorNode => node.type === 'OperatorNode';
export const isSymbol = (node: MathNode): node is SymbolNode => node.type === 'SymbolNode';
export const isParenthesis = (node: MathNode): node is MathNode & { content: MathNode } =>
  node.type === 'ParenthesisNode';

export function refuse(message: string): never {
  throw new ConfigError(ENTRY, message);
}

/** In one line, cut to what fits a message. */
export function quoted(source: MathNode | string): string {
  const text = String(source).replaceAll(/\s+/g, ' ');
  return `"${text.length > LONGEST_QUOTE ? `${text.slice(0, LONGEST_QUOTE)}…` : text}"`;
}

/** Throws ConfigError. */
export function parsed(expression: string): MathNode {
  if (expression.length > MAX_LENGTH) {
    refuse(`found ${expression.length} characters, expected at most ${MAX_LENGTH}`);
  }
  let root: MathNode;
  try {
    // Python's power.
    root = parse(expression.replaceAll('**', '^'));
  } catch (error) {
    return refuse(`${(error as Error).message} in ${quoted(expression)}`);
  }
  const isEmpty = isConstant(root) && root.value === undefined;
  return isEmpty ? refuse('found nothing, expected an expression of y') : root;
}

/** Where a slope is 0 nothing is passed on, be the other factor infinite: |y| and |y|^2 have slope 0 at y = 0. */
export const times = (a: number, b: number): number => (a === 0 || b === 0 ? 0 : a * b);

type Unary = readonly [value: (x: number) => number, slope: (x: number) => number];

const sech = (x: number): number => 1 / Math.cosh(x);

const functions: ReadonlyMap<string, Unary> = new Map<string, Unary>([
  ['abs', [Math.abs, Math.sign]],
  ['acos', [Math.acos, (x) => -1 / Math.sqrt(1 - x * x)]],
  ['acosh', [Math.acosh, (x) => 1 / Math.sqrt(x * x - 1)]],
  ['asin', [Math.asin, (x) => 1 / Math.sqrt(1 - x * x)]],
  ['asinh', [Math.asinh, (x) => 1 / Math.sqrt(x * x + 1)]],
  ['atan', [Math.atan, (x) => 1 / (1 + x * x)]],
  ['atanh', [Math.atanh, (x) => 1 / (1 - x * x)]],
  ['cbrt', [Math.cbrt, (x) => 1 / (3 * Math.cbrt(x) ** 2)]],
  ['cos', [Math.cos, (x) => -Math.sin(x)]],
  ['cosh', [Math.cosh, Math.sinh]],
  ['cube', [(x) => x ** 3, (x) => 3 * x * x]],
  ['exp', [Math.exp, Math.exp]],
  ['log', [Math.log, (x) => 1 / x]],
  ['log10', [Math.log10, (x) => 1 / (x * Math.LN10)]],
  ['log2', [Math.log2, (x) => 1 / (x * Math.LN2)]],
  ['sech', [sech, (x) => -sech(x) * Math.tanh(x)]],
  ['sin', [Math.sin, Math.cos]],
  ['sinh', [Math.sinh, Math.cosh]],
  ['sqrt', [Math.sqrt, (x) => 1 / (2 * Math.sqrt(x))]],
  ['square', [(x) => x * x, (x) => 2 * x]],
  ['tan', [Math.tan, (x) => 1 + Math.tan(x) ** 2]],
  ['tanh', [Math.tanh, (x) => 1 - Math.tanh(x) ** 2]],
]);

export function call(name: string, { value, slope }: Dual): Dual {
  const [own, derivative] = functions.get(name)!;
  return { value: own(value), slope: slope === 0 ? 0 : times(slope, derivative(value)) };
}

function power(a: Dual, b: Dual): Dual {
  const value = a.value ** b.value;
  const ofBase = b.value === 0 ? 0 : times(a.slope, b.value * a.value ** (b.value - 1));
  const ofExponent = a.value === 0 ? 0 : times(b.slope, value * Math.log(a.value));
  return { value, slope: ofBase + ofExponent };
}

type Binary = (a: Dual, b: Dual) => Dual;

const divide: Binary = (a, b) => {
  const value = a.value / b.value;
  return {
    value,
    slope: (a.slope === 0 ? 0 : a.slope / b.value) - times(b.slope, value / b.value),
  };
};

const operators: ReadonlyMap<string, Binary> = new Map<string, Binary>([
  ['+', (a, b) => ({ value: a.value + b.value, slope: a.slope + b.slope })],
  ['-', (a, b) => ({ value: a.value - b.value, slope: a.slope - b.slope })],
  [
    '*',
    (a, b) => ({
      value: a.value * b.value,
      slope: times(a.slope, b.value) + times(b.slope, a.value),
    }),
  ],
  ['/', divide],
  ['^', power],
]);

/** What the expression's leaves are. Both throw ConfigError for what cannot stand there. */
export interface Leaves<Point> {
  symbol(name: string): (at: Point) => Dual;
  reduction(name: string, node: FunctionNode): (at: Point) => Dual;
}

/** sum, mean, dot(a, b), norm(a): their numbers of arguments. */
export const reductions: ReadonlyMap<string, number> = new Map([
  ['sum', 1],
  ['mean', 1],
  ['dot', 2],
  ['norm', 1],
]);

function checkArguments({ args }: FunctionNode, node: MathNode, ...expected: number[]): void {
  if (expected.includes(args.length)) return;
  const found = `${args.length} ${args.length === 1 ? 'argument' : 'arguments'}`;
  refuse(`found ${found} in ${String(node)}, expected ${expected.join(' or ')}`);
}

/**
 * The expression as a function of where it is evaluated. Only arithmetic, known functions and known names:
 * nothing that could loop, assign or reach outside. Throws ConfigError for anything else.
 */
export function compiled<Point>(root: MathNode, leaves: Leaves<Point>): (at: Point) => Dual {
  type Evaluate = (at: Point) => Dual;

  const called = (node: FunctionNode): Evaluate => {
    const name = isSymbol(node.fn) ? node.fn.name : '';
    const count = reductions.get(name);
    if (count !== undefined) {
      checkArguments(node, node, count);
      return leaves.reduction(name, node);
    }
    if (name === 'pow' || (name === 'log' && node.args.length === 2)) {
      checkArguments(node, node, 2);
      const [a, b] = node.args.map(compile);
      if (name === 'pow') return (at) => power(a(at), b(at));
      return (at) => divide(call('log', a(at)), call('log', b(at)));
    }
    if (!functions.has(name)) {
      const known = [...reductions.keys(), ...functions.keys(), 'pow'].join(', ');
      refuse(`found the function ${name || quoted(node)}; known are ${known}`);
    }
    checkArguments(node, node, ...(name === 'log' ? [1, 2] : [1]));
    const [argument] = node.args.map(compile);
    return (at) => call(name, argument(at));
  };

  const operated = (node: OperatorNode): Evaluate => {
    const [a, b] = node.args;
    const op = (node.op as string).replace(/^\./, '');
    if (b === undefined && (op === '-' || op === '+')) {
      const operand = compile(a);
      if (op === '+') return operand;
      return (at) => {
        const { value, slope } = operand(at);
        return { value: -value, slope: -slope };
      };
    }
    const apply = operators.get(op);
    if (!apply || b === undefined) return unknown(node);
    const [left, right] = [compile(a), compile(b)];
    return (at) => apply(left(at), right(at));
  };

  const unknown = (node: MathNode): never =>
    refuse(`found ${quoted(node)}; f must be made of sums of elementwise terms of y`);

  const compile = (node: MathNode): Evaluate => {
    if (isParenthesis(node)) return compile(node.content);
    if (isSymbol(node)) return leaves.symbol(node.name);
    if (isFunction(node)) return called(node);
    if (isOperator(node)) return operated(node);
    const value: unknown = isConstant(node) ? node.value : undefined;
    if (typeof value !== 'number') return unknown(node);
    return () => ({ value, slope: 0 });
  };

  return compile(root);
}
