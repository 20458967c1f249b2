// What a person's names say a tensor is: q, k or v, a weight, a gradient.
import { type ResolvedName, resolveName } from '../../../formats/nodeNames.ts';
import type { Value } from './values.ts';

/** A program has few names and many tensors: names that are asked for again are not read again. */
const MOST_NAMES = 4096;

function remembered<T>(read: (name: string) => T): (name: string) => T {
  const known = new Map<string, T>();
  return (name) => {
    const before = known.get(name);
    if (before !== undefined || known.has(name)) return before as T;
    if (known.size >= MOST_NAMES) known.clear();
    const found = read(name);
    known.set(name, found);
    return found;
  };
}

/** Last part of a name as it is recorded: "self.cache['q']" is q, "params['wq'][0]" is wq. */
export const lastName = remembered((name: string): string => {
  const plain = name.replaceAll(/\[\d+\]/g, '');
  const quoted = /\[(['"])([^'"]+)\1\]$/.exec(plain);
  return quoted ? quoted[2] : (plain.split('.').pop() ?? plain);
});

/** The node that the last part of a name stands for. */
export const nodeOfName = remembered((name: string): ResolvedName | null =>
  resolveName(lastName(name)),
);

const LETTER: readonly [RegExp, 'Q' | 'K' | 'V' | 'O'][] = [
  [
    /^(?:x_?)?(?:q|qs|query|queries)(?:_?(?:h|i|j|t|heads?|states?|proj|rot|rope|\d)*)$|^q[_A-Z0-9]|^quer/i,
    'Q',
  ],
  [
    /^(?:x_?)?(?:k|ks|key|keys)(?:_?(?:h|i|j|t|heads?|states?|proj|rot|rope|\d)*)$|^k[_A-Z0-9]|^keys?_/i,
    'K',
  ],
  [
    /^(?:x_?)?(?:v|vs|val|vals|value|values)(?:_?(?:h|i|j|t|heads?|states?|proj|\d)*)$|^v[_A-Z0-9]|^val/i,
    'V',
  ],
];

/** Which of queries, keys and values a name stands for; undefined where it says nothing. */
export const roleOf = remembered((name: string): 'Q' | 'K' | 'V' | undefined => {
  const last = lastName(name);
  const found = LETTER.find(([pattern]) => pattern.test(last));
  return found?.[1] as 'Q' | 'K' | 'V' | undefined;
});

const WEIGHT: readonly [RegExp, 'Q' | 'K' | 'V' | 'O'][] = [
  [/q(?:uer(?:y|ies))?/, 'Q'],
  [/k(?:eys?)?/, 'K'],
  [/v(?:al(?:ues?)?)?/, 'V'],
  [/o(?:ut(?:put)?)?|proj/, 'O'],
];

/** What an engine's own tensors call their array: `Wq.val` is Wq, while `self.value` may be a projection. */
const ARRAY_OF = /^(?!self\.)(.+)\.(?:val|value|data|arr|array|tensor)$/;

/** Which projection's weight (or bias) a name stands for. */
export const weightRole = remembered((whole: string): 'Q' | 'K' | 'V' | 'O' | undefined => {
  const name = ARRAY_OF.exec(whole)?.[1] ?? whole;
  const resolved = resolveName(name) ?? nodeOfName(name);
  const known = resolved && /^[Wb]_([QKVO])$/.exec(resolved.node);
  if (known && resolved.kind === 'value') return known[1] as 'Q' | 'K' | 'V' | 'O';
  const plain = name
    .replaceAll(/\[\d+\]/g, '')
    .toLowerCase()
    .replaceAll(/[^a-z]+/g, ' ')
    .replaceAll(
      /\b(?:weight|bias|kernel|self|params?|attn|attention|to|linear|proj|w|b|c|fc)\b/g,
      ' ',
    )
    .trim()
    .split(' ')
    .pop() as string;
  const stripped = plain.replace(/^[wb](?=[a-z])/, '').replace(/(?:proj|weights?|lin)$/, '');
  return WEIGHT.find(([pattern]) => new RegExp(`^(?:${pattern.source})$`).test(stripped))?.[1];
});

/** Whether a name says that it is a gradient, or what is passed into a backward pass. */
export const isGradientName = remembered((name: string): boolean => {
  const last = lastName(name);
  return (
    nodeOfName(name)?.kind === 'gradient' ||
    /^(?:d|g|grad|upstream|cotangent|adjoint|seed|ct)(?:[_A-Z].*|out.*|y|ys|o|)$|_(?:grad|bar|ct|adj)$|^grad|upstream|cotangent/.test(
      last,
    )
  );
});

/** Loss, cost, error, in the languages that people write in. */
const LOSS =
  /loss|obj|cost|custo|kost|energy|nll|mse|err|fehler|perte|verl(?:ies|ust)|p[eé]rd(?:a|id)|strata|^ce$|entropy|^f$|^l$/i;

/** Whether a number is called what is differentiated. */
export const isLossName = (name: string): boolean =>
  name.split('.').some((part) => LOSS.test(lastName(part)));

const namesOfValues = new WeakMap<Value, { events: number; names: readonly string[] }>();

/** The names that a value was bound to, each once: zeros of a shape are bound to hundreds, again and again. */
export function namesOf(value: Value): readonly string[] {
  const known = namesOfValues.get(value);
  if (known?.events === value.events.length) return known.names;
  const names = [...new Set(value.events.map(({ name }) => name))];
  namesOfValues.set(value, { events: value.events.length, names });
  return names;
}
