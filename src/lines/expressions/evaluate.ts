// The value of a Python expression, given what its names stand for.
import {
  checkWork,
  entrywise,
  type IndexPart,
  matmul,
  NotComputed,
  permute,
  pick,
  swapped,
} from './arrays.ts';
import { CALLS } from './calls.ts';
import { isList, isSlice, numberOf, tensorOf, type Value } from './values.ts';
import { type Expression, pathOf } from './parse.ts';

/** What a path stands for: "q", "self.w['q']"; undefined where that is not known. */
export type Lookup = (path: string) => Value | undefined;

const CONSTANTS: ReadonlyMap<string, Value> = new Map<string, Value>([
  ...['np.inf', 'math.inf', 'torch.inf', 'inf', 'numpy.inf'].map((name): [string, Value] => [
    name,
    Infinity,
  ]),
  ...['None', 'np.newaxis'].map((name): [string, Value] => [name, null]),
  ...['np.pi', 'math.pi', 'torch.pi'].map((name): [string, Value] => [name, Math.PI]),
  ...['math.e', 'np.e'].map((name): [string, Value] => [name, Math.E]),
  ['True', 1],
  ['False', 0],
]);

const MODULES =
  /^(np|numpy|torch|F|math|jnp|functional|nn|torch\.nn\.functional|np\.special|special)$/;
/** Types are named where they say nothing of the value. */
const TYPES = /^(?:(?:np|numpy|torch|jnp)\.)?(?:b?float\d*|double|half|int\d*|bool_?|long)$/;

export function evaluate(expression: Expression, lookup: Lookup): Value {
  const known = valueAt(expression, lookup);
  if (known !== undefined) return known;
  switch (expression.kind) {
    case 'number':
    case 'text':
      return expression.value;
    case 'list':
      return expression.items.map((item) => evaluate(item, lookup));
    case 'choice':
      return evaluate(
        numberOf(evaluate(expression.condition, lookup)) !== 0
          ? expression.chosen
          : expression.otherwise,
        lookup,
      );
    case 'unary':
      return unary(expression.operator, evaluate(expression.of, lookup));
    case 'binary':
      return binary(
        expression.operator,
        evaluate(expression.left, lookup),
        evaluate(expression.right, lookup),
      );
    case 'attribute':
      return attribute(evaluate(expression.of, lookup), expression.name);
    case 'index':
      return indexed(evaluate(expression.of, lookup), expression.parts, lookup);
    case 'call':
      return called(expression, lookup);
    default:
      throw new NotComputed(expression.kind === 'name' ? expression.name : expression.kind);
  }
}

function valueAt(expression: Expression, lookup: Lookup): Value | undefined {
  const path = pathOf(expression);
  if (path === null) return undefined;
  return (
    CONSTANTS.get(path) ??
    lookup(path) ??
    (CONSTANTS.has(path) ? null : TYPES.test(path) ? path : undefined)
  );
}

function unary(operator: string, value: Value): Value {
  const apply = (fn: (x: number) => number): Value =>
    typeof value === 'number' ? fn(value) : entrywise([tensorOf(value)], fn);
  if (operator === '-') return apply((x) => -x);
  if (operator === '+') return value;
  // Of bools; of whole numbers it is seldom used.
  return apply((x) => (x === 0 ? 1 : 0));
}

const floorMod = (a: number, b: number): number => a - b * Math.floor(a / b);
const is = (value: boolean): number => (value ? 1 : 0);

const OPERATORS: Readonly<Record<string, (a: number, b: number) => number>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '//': (a, b) => Math.floor(a / b),
  '%': floorMod,
  '**': (a, b) => a ** b,
  '<': (a, b) => is(a < b),
  '>': (a, b) => is(a > b),
  '<=': (a, b) => is(a <= b),
  '>=': (a, b) => is(a >= b),
  '==': (a, b) => is(a === b),
  '!=': (a, b) => is(a !== b),
  '&': (a, b) => is(a !== 0 && b !== 0),
  '|': (a, b) => is(a !== 0 || b !== 0),
  '^': (a, b) => is((a !== 0) !== (b !== 0)),
  and: (a, b) => (a === 0 ? a : b),
  or: (a, b) => (a === 0 ? b : a),
};

export function binary(operator: string, left: Value, right: Value): Value {
  if (operator === '@') return matmul(tensorOf(left), tensorOf(right));
  if (operator === '+' && isList(left) && isList(right)) return [...left, ...right];
  if (operator === '*' && isList(left) && typeof right === 'number') {
    checkWork(Math.max(1, left.length) * Math.max(0, right));
    return Array.from({ length: right }, () => left).flat();
  }
  const fn = OPERATORS[operator];
  if (!fn) throw new NotComputed(operator);
  if (typeof left === 'number' && typeof right === 'number') return fn(left, right);
  return entrywise([tensorOf(left), tensorOf(right)], fn);
}

function attribute(of: Value, name: string): Value {
  const tensor = tensorOf(of);
  const { shape } = tensor;
  if (name === 'T' && shape.length !== 1) return permute(tensor, [...shape.keys()].reverse());
  if (name === 'T') return tensor;
  if (name === 'mT') return swapped(tensor, -1, -2);
  if (name === 'shape') return [...shape];
  if (name === 'ndim') return shape.length;
  if (name === 'size') return tensor.data.length;
  if (name === 'data') return tensor;
  if (name === 'dtype' || name === 'device') return 'float64';
  throw new NotComputed(`.${name}`);
}

function indexed(of: Value, parts: readonly Expression[], lookup: Lookup): Value {
  const bound = (part: Expression | null): number | null =>
    part === null ? null : numberOf(evaluate(part, lookup));
  if (isList(of)) {
    const [part] = parts;
    if (part.kind === 'slice') {
      const [start, stop] = part.bounds.map(bound);
      return of.slice(start ?? 0, stop ?? undefined);
    }
    const at = numberOf(evaluate(part, lookup));
    const found = of[at < 0 ? at + of.length : at];
    if (found === undefined) throw new NotComputed('index');
    return found;
  }
  const tensor = tensorOf(of);
  const isRest = (part: Expression): boolean => part.kind === 'name' && part.name === '...';
  const rest = parts.findIndex(isRest);
  const read = (part: Expression): IndexPart => {
    if (part.kind === 'slice') return { bounds: part.bounds.map(bound) };
    const value = evaluate(part, lookup);
    if (value === null || typeof value === 'number') return value;
    if (typeof value === 'string') throw new NotComputed('index');
    if (isSlice(value)) return value;
    const list = tensorOf(value);
    return list.shape.length === 0 ? list.data[0] : list;
  };
  if (rest < 0) return pick(tensor, parts.map(read));
  const [before, after] = [parts.slice(0, rest).map(read), parts.slice(rest + 1).map(read)];
  const used = [...before, ...after].filter((part) => part !== null).length;
  const between = Array.from({ length: tensor.shape.length - used }, () => ({
    bounds: [null, null],
  }));
  return pick(tensor, [...before, ...between, ...after]);
}

function called(expression: Expression & { kind: 'call' }, lookup: Lookup): Value {
  const { of, args, named } = expression;
  // What a function of the program's own gave is known, not how.
  const path = pathOf(of);
  const returned = path === null ? undefined : lookup(`${path}()`);
  if (returned !== undefined) return returned;
  const values = args.map((arg) => evaluate(arg, lookup));
  const given = Object.fromEntries(
    Object.entries(named).map(([name, value]) => [name, evaluate(value, lookup)]),
  );
  if (of.kind === 'attribute') {
    const module = pathOf(of.of);
    const isModule = module !== null && MODULES.test(module);
    const own = isModule ? values : [evaluate(of.of, lookup), ...values];
    return call(of.name, { args: own, named: given }, isModule);
  }
  if (of.kind !== 'name' || lookup(of.name) !== undefined) throw new NotComputed('a call');
  // Python's own.
  if (/^(float|int|abs|max|min|len|sum|slice)$/.test(of.name)) {
    const [first] = values;
    if (typeof first === 'string' && /^[+-]?inf$/.test(first))
      return first.startsWith('-') ? -Infinity : Infinity;
    if (of.name === 'sum' && values.length === 1 && first !== undefined && isList(first))
      return first.reduce((total, value) => binary('+', total, value), 0);
    const isNumbers = values.every((value) => typeof value === 'number');
    const result = call(
      of.name === 'float' && isNumbers ? 'copy' : of.name,
      { args: values, named: given },
      true,
    );
    return isNumbers && !isSlice(result) ? numberOf(result) : result;
  }
  return call(of.name, { args: values, named: given }, true, FREE);
}

/** Functions that a program may have imported by their own names. */
const FREE = /^(exp|sqrt|log|einsum|softmax|matmul|tanh)$/;

function call(
  name: string,
  given: { readonly args: readonly Value[]; readonly named: Readonly<Record<string, Value>> },
  isFunction: boolean,
  names = /./,
): Value {
  const plain = name.replace(/_$/, '');
  if (!isFunction && plain === 'repeat') {
    // NumPy's repeats entries, PyTorch's the whole; which library it is, nobody says here.
    throw new NotComputed('repeat');
  }
  if (isFunction && plain === 'repeat') return CALLS.get('repeat_interleave')!(given);
  const found = names.test(plain) ? CALLS.get(plain) : undefined;
  if (!found) throw new NotComputed(name);
  const result = found(given);
  const isNumber = given.args.every((value) => typeof value === 'number' || value === null);
  const isTensor = typeof result === 'object' && result !== null && 'shape' in result;
  return isNumber && isTensor && result.shape.length === 0 ? result.data[0] : result;
}
