// f as a mathjs expression of y, differentiated symbolically: functions of sums of elementwise terms.
import { derivative, parse } from 'mathjs/number';
import type { FunctionNode, MathNode, OperatorNode, SymbolNode } from 'mathjs';
import { ConfigError } from '../config.ts';
import { partial, symbol, words } from '../formula.ts';
import type { Tensor } from '../tensor.ts';
import type { ScalarFunction } from './loss.ts';

const ENTRY = 'loss.expression';
const MAX_LENGTH = 2000;
const scalarFunctions = new Set(
  'abs acos acosh asin asinh atan atanh cbrt cos cosh exp log log10 log2 sin sinh sqrt square cube tan tanh sech pow'.split(
    ' ',
  ),
);
const reductions = new Set(['sum', 'mean', 'dot', 'norm']);
const knownNumbers = new Set(['pi', 'e', 'tau']);
const elementwiseOperators: Readonly<Record<string, string>> = { '.^': '^', '.*': '*', './': '/' };

type Constants = Readonly<Record<string, Tensor>>;
type Evaluate = (scope: Record<string, number>) => number;

/** One sum over the entries of y: its term, the term's derivative, and what its value is called in the outer part. */
interface Sum {
  readonly name: string;
  readonly term: Evaluate;
  readonly slope: Evaluate;
}

const isFunction = (node: MathNode): node is FunctionNode => node.type === 'FunctionNode';
const isSymbol = (node: MathNode): node is SymbolNode => node.type === 'SymbolNode';
const isOperator = (node: MathNode): node is OperatorNode => node.type === 'OperatorNode';
const nameOf = (node: FunctionNode): string => (node.fn as unknown as { name: string }).name;

function refuse(message: string): never {
  throw new ConfigError(ENTRY, message);
}

function parsed(expression: string): MathNode {
  if (expression.length > MAX_LENGTH) {
    refuse(`found ${expression.length} characters, expected at most ${MAX_LENGTH}`);
  }
  try {
    return parse(expression);
  } catch (error) {
    return refuse(`${(error as Error).message} in "${expression}"`);
  }
}

/** Only arithmetic, known functions and known names: nothing that could loop, assign or reach outside. */
function check(root: MathNode, constants: Constants): void {
  root.traverse((node, path, parent) => {
    if (isFunction(node)) {
      const name = nameOf(node);
      if (!scalarFunctions.has(name) && !reductions.has(name)) {
        refuse(
          `found the function ${name}; known are ${[...reductions, ...scalarFunctions].join(', ')}`,
        );
      }
      return;
    }
    if (isSymbol(node)) {
      const isFunctionName = parent !== null && isFunction(parent) && path === 'fn';
      const known =
        node.name === 'y' || knownNumbers.has(node.name) || Object.hasOwn(constants, node.name);
      if (!isFunctionName && !known)
        refuse(`found the name ${node.name}; known are y and ${names(constants)}`);
      return;
    }
    const arithmetic = isOperator(node) && /^(\.?[*/^]|[+-])$/.test(node.op);
    if (!arithmetic && node.type !== 'ConstantNode' && node.type !== 'ParenthesisNode') {
      refuse(`found "${node.toString()}"; f must be made of sums of elementwise terms of y`);
    }
  });
}

const names = (constants: Constants): string =>
  [...Object.keys(constants), ...knownNumbers].join(', ');

const hasTensor = (node: MathNode, constants: Constants): boolean =>
  node.filter(
    (each) =>
      isSymbol(each) && (each.name === 'y' || (constants[each.name]?.shape.length ?? 0) > 0),
  ).length > 0;

/** `.^`, `.*` and `./` act on one entry like `^`, `*` and `/`. */
function asScalar(node: MathNode): string {
  const plain = node.transform((each) => {
    if (!isOperator(each) || !(each.op in elementwiseOperators)) return each;
    const op = elementwiseOperators[each.op];
    return parse(`(${asScalar(each.args[0])}) ${op} (${asScalar(each.args[1])})`);
  });
  return plain.toString();
}

function compiled(expression: string): Evaluate {
  const code = parse(expression).compile();
  return (scope) => {
    const value: unknown = code.evaluate(scope);
    // Number mode has no complex numbers, but log(-1) and the like must not end as something else than NaN.
    return typeof value === 'number' ? value : Number.NaN;
  };
}

function differentiate(expression: string, variable: string): string {
  try {
    return derivative(expression, variable).toString();
  } catch (error) {
    return refuse((error as Error).message);
  }
}

/**
 * f = F(s_1, s_2, ...) with s_k = sum over the entries of y of g_k; df/dy = sum over k of dF/ds_k g_k'(y).
 * `sum`, `mean`, `dot(a, b)` and `norm(a)` may stand anywhere but inside each other. `constants` are numbers
 * (shape []) or tensors of y's shape. Throws ConfigError for anything else.
 */
export function expressionLoss(expression: string, constants: Constants): ScalarFunction {
  const root = parsed(expression);
  check(root, constants);
  const sums: Sum[] = [];
  const addSum = (term: string): string => {
    if (/\b(sum|mean|dot|norm)\(/.test(term)) refuse(`found a sum inside a sum: "${term}"`);
    const name = `sum_${sums.length}`;
    sums.push({ name, term: compiled(term), slope: compiled(differentiate(term, 'y')) });
    return name;
  };
  const outer = root.transform((node) => {
    if (!isFunction(node) || !reductions.has(nameOf(node))) return node;
    const args = node.args.map(asScalar);
    if (args.length !== (nameOf(node) === 'dot' ? 2 : 1))
      refuse(`found ${args.length} arguments in ${node.toString()}`);
    switch (nameOf(node)) {
      case 'mean':
        return parse(`${addSum(args[0])} / entries`);
      case 'dot':
        return parse(addSum(`(${args[0]}) * (${args[1]})`));
      case 'norm':
        return parse(`sqrt(${addSum(`(${args[0]})^2`)})`);
      default:
        return parse(addSum(args[0]));
    }
  });
  if (hasTensor(outer, constants)) {
    refuse(`"${expression}" is not one number: y stands outside of ${[...reductions].join(', ')}`);
  }
  const combine = compiled(outer.toString());
  const outerSlopes = sums.map((each) => compiled(differentiate(outer.toString(), each.name)));

  const scopeAt = (y: Tensor, at: number): Record<string, number> => {
    const scope: Record<string, number> = { y: y.data[at] };
    for (const [name, { shape, data }] of Object.entries(constants))
      scope[name] = data[shape.length > 0 ? at : 0];
    return scope;
  };
  const totals = (y: Tensor): Record<string, number> => {
    const scope: Record<string, number> = { entries: y.data.length };
    for (const [name, { shape, data }] of Object.entries(constants))
      if (shape.length === 0) scope[name] = data[0];
    for (const { name, term } of sums) {
      let total = 0;
      for (let at = 0; at < y.data.length; at++) total += term(scopeAt(y, at));
      scope[name] = total;
    }
    return scope;
  };
  const known = new WeakMap<Tensor, Float64Array>();
  return {
    name: 'expression',
    summary: `f = ${expression}, differentiated symbolically.`,
    value: (y) => combine(totals(y)),
    gradient: (y) => {
      const cached = known.get(y);
      if (cached) return cached;
      const scope = totals(y);
      const weights = outerSlopes.map((slope) => slope(scope));
      const gradient = Float64Array.from(y.data, (_, at) => {
        const entry = scopeAt(y, at);
        return sums.reduce((total, { slope }, k) => {
          // At y = 0 the slope of a norm is 0 * infinity: 0 is its smallest subgradient, as in PyTorch.
          const own = slope(entry);
          return own === 0 || weights[k] === 0 ? total : total + weights[k] * own;
        }, 0);
      });
      known.set(y, gradient);
      return gradient;
    },
    formula: (y) => ({
      value: words(expression),
      gradient: partial(symbol('f'), y),
    }),
  };
}
