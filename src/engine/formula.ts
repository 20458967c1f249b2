// Formulas as data: built by the operations, bound to indices and written as text or MathML.
import type { AxisLetters, Binding, Extents, Letter } from './axes.ts';

export type Formula =
  | { readonly kind: 'symbol'; readonly name: string; readonly indices: readonly AxisLetters[] }
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'sum'; readonly over: readonly Letter[]; readonly body: Formula }
  | { readonly kind: 'product'; readonly factors: readonly Formula[] }
  | { readonly kind: 'add'; readonly terms: readonly Formula[] }
  | { readonly kind: 'subtract'; readonly left: Formula; readonly right: Formula }
  | { readonly kind: 'fraction'; readonly top: Formula; readonly bottom: Formula }
  | { readonly kind: 'power'; readonly base: Formula; readonly exponent: Formula }
  /** ∂top/∂bottom */
  | { readonly kind: 'partial'; readonly top: Formula; readonly bottom: Formula }
  | { readonly kind: 'call'; readonly name: string; readonly argument: Formula }
  | {
      readonly kind: 'relation';
      readonly left: Formula;
      readonly sign: '=' | '+=' | '≤' | '<';
      readonly right: Formula;
    }
  /** A part that can be pointed at: the panel highlights it by its name. */
  | { readonly kind: 'part'; readonly name: string; readonly body: Formula }
  | { readonly kind: 'words'; readonly text: string };

export const symbol = (name: string, indices: readonly AxisLetters[] = []): Formula => ({
  kind: 'symbol',
  name,
  indices,
});
export const number = (value: number): Formula => ({ kind: 'number', value });
export const words = (text: string): Formula => ({ kind: 'words', text });
export const product = (...factors: Formula[]): Formula => ({ kind: 'product', factors });
export const plus = (...terms: Formula[]): Formula =>
  terms.length === 1 ? terms[0] : { kind: 'add', terms };
export const minus = (left: Formula, right: Formula): Formula => ({
  kind: 'subtract',
  left,
  right,
});
export const fraction = (top: Formula, bottom: Formula): Formula => ({
  kind: 'fraction',
  top,
  bottom,
});
export const power = (base: Formula, exponent: Formula): Formula => ({
  kind: 'power',
  base,
  exponent,
});
export const partial = (top: Formula, bottom: Formula): Formula => ({
  kind: 'partial',
  top,
  bottom,
});
export const call = (name: string, argument: Formula): Formula => ({
  kind: 'call',
  name,
  argument,
});
export const part = (name: string, body: Formula): Formula => ({ kind: 'part', name, body });
export const equals = (left: Formula, right: Formula): Formula => ({
  kind: 'relation',
  left,
  sign: '=',
  right,
});
export const accumulates = (left: Formula, right: Formula): Formula => ({
  kind: 'relation',
  left,
  sign: '+=',
  right,
});
/** A sum over no letter is its body. */
export const sum = (over: readonly Letter[], body: Formula): Formula =>
  over.length === 0 ? body : { kind: 'sum', over, body };

/** Names of its parts, each once. */
export function partNames(formula: Formula): string[] {
  const children: unknown[] = Object.values(formula).flat();
  const inner = children.filter(
    (each): each is Formula => typeof each === 'object' && each !== null && 'kind' in each,
  );
  const own = formula.kind === 'part' ? [formula.name] : [];
  return [...new Set([...own, ...inner.flatMap(partNames)])];
}

/** How a formula is written where it is shown: letters in `binding` become their numbers. */
export interface Writing {
  readonly binding?: Binding;
  /** Needed with `binding`: a merged axis is written as one number. */
  readonly extents?: Extents;
}

/** Numbers with at most five significant digits, for reading: 0.70711, 1e-9, −2. */
export function formatNumber(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '∞' : '−∞';
  const text = String(Number(value.toPrecision(5)));
  return text.replace(/^-/, '−');
}

function writeIndices(indices: readonly AxisLetters[], { binding, extents }: Writing): string[] {
  return indices.map((letters) => {
    if (!binding || !extents || letters.some((letter) => binding[letter] === undefined))
      return letters.join('');
    return String(letters.reduce((at, letter) => at * extents[letter] + binding[letter], 0));
  });
}

/** The letters of a sum run inside it and are not bound there. */
function inside(writing: Writing, over: readonly Letter[]): Writing {
  if (!writing.binding) return writing;
  const binding = Object.fromEntries(
    Object.entries(writing.binding).filter(([letter]) => !over.includes(letter)),
  );
  return { ...writing, binding };
}

const isSum = (formula: Formula): boolean =>
  formula.kind === 'add' ||
  formula.kind === 'subtract' ||
  (formula.kind === 'part' && isSum(formula.body));

/** One line of plain text: "dP[0,1] += Σ_c dy[1,c] · x[0,c]". */
export function toText(formula: Formula, writing: Writing = {}): string {
  const text = (inner: Formula): string => toText(inner, writing);
  const grouped = (inner: Formula): string => (isSum(inner) ? `(${text(inner)})` : text(inner));
  switch (formula.kind) {
    case 'symbol': {
      const indices = writeIndices(formula.indices, writing);
      return indices.length === 0 ? formula.name : `${formula.name}[${indices.join(',')}]`;
    }
    case 'number':
      return formatNumber(formula.value);
    case 'words':
      return formula.text;
    case 'sum':
      return `Σ_${formula.over.join(',')} ${toText(formula.body, inside(writing, formula.over))}`;
    case 'product':
      return formula.factors.map(grouped).join(' · ');
    case 'add':
      return formula.terms.map(text).join(' + ');
    case 'subtract':
      return `${text(formula.left)} − ${grouped(formula.right)}`;
    case 'fraction':
      return `${grouped(formula.top)} / ${grouped(formula.bottom)}`;
    case 'partial':
      return `∂${text(formula.top)}/∂${text(formula.bottom)}`;
    case 'power':
      return `${grouped(formula.base)}^${grouped(formula.exponent)}`;
    case 'call':
      return `${formula.name}(${text(formula.argument)})`;
    case 'relation':
      return `${text(formula.left)} ${formula.sign} ${text(formula.right)}`;
    case 'part':
      return text(formula.body);
  }
}

/** A tree of MathML elements, for whoever draws it; `part` names the marked sub-expressions. */
export interface MathNode {
  readonly tag: 'mi' | 'mn' | 'mo' | 'mtext' | 'mrow' | 'msub' | 'msup' | 'munder' | 'mfrac';
  readonly text?: string;
  readonly children?: readonly MathNode[];
  readonly part?: string;
}

const leaf = (tag: MathNode['tag'], text: string): MathNode => ({ tag, text });
const row = (...children: MathNode[]): MathNode =>
  children.length === 1 ? children[0] : { tag: 'mrow', children };

function joined(parts: readonly MathNode[], separator: string): MathNode[] {
  return parts.flatMap((each, at) => (at === 0 ? [each] : [leaf('mo', separator), each]));
}

/** "W_K" is written with a subscript of its own: base W, first index K. */
function mathSymbol(name: string, indices: readonly string[]): MathNode {
  const [base, ...subscript] = name.split('_');
  const all = [...subscript, ...indices];
  if (all.length === 0) return leaf('mi', base);
  const numeric = all.some((index) => /\d/.test(index)) || subscript.length > 0;
  const lower = joined(
    all.map((index) => leaf(/^\d+$/.test(index) ? 'mn' : 'mi', index)),
    numeric ? ',' : '\u2063',
  );
  return { tag: 'msub', children: [leaf('mi', base), row(...lower)] };
}

const unmarked = (formula: Formula): Formula =>
  formula.kind === 'part' ? unmarked(formula.body) : formula;

function beginsWithNumber(formula: Formula): boolean {
  const inner = unmarked(formula);
  return inner.kind === 'product' ? beginsWithNumber(inner.factors[0]) : inner.kind === 'number';
}

/** A number below 0, which has to be bracketed behind another sign. */
function isNegative(formula: Formula): boolean {
  const inner = unmarked(formula);
  return inner.kind === 'number' && inner.value < 0;
}

/** Factors stand beside each other, with a dot before a number, which would seem to belong to the one before. */
function productOf(factors: readonly Formula[], grouped: (inner: Formula) => MathNode): MathNode[] {
  return factors.flatMap((each, n) => {
    const own = grouped(each);
    const inner = isNegative(each) ? row(leaf('mo', '('), own, leaf('mo', ')')) : own;
    return n > 0 && beginsWithNumber(each) ? [leaf('mo', '·'), inner] : [inner];
  });
}

export function toMath(formula: Formula, writing: Writing = {}): MathNode {
  const math = (inner: Formula): MathNode => toMath(inner, writing);
  const fenced = (inner: MathNode): MathNode => row(leaf('mo', '('), inner, leaf('mo', ')'));
  const grouped = (inner: Formula): MathNode => (isSum(inner) ? fenced(math(inner)) : math(inner));
  switch (formula.kind) {
    case 'symbol':
      return mathSymbol(formula.name, writeIndices(formula.indices, writing));
    case 'number':
      return leaf('mn', formatNumber(formula.value));
    case 'words':
      return leaf('mtext', formula.text);
    case 'sum': {
      const under = leaf('mi', formula.over.join(' '));
      const body = toMath(formula.body, inside(writing, formula.over));
      return row(
        { tag: 'munder', children: [leaf('mo', '∑'), under] },
        isSum(formula.body) ? fenced(body) : body,
      );
    }
    case 'product':
      return row(...productOf(formula.factors, grouped));
    case 'add':
      return row(
        ...joined(
          formula.terms.map((term, n) =>
            n > 0 && isNegative(term) ? fenced(math(term)) : math(term),
          ),
          '+',
        ),
      );
    case 'subtract': {
      const right = grouped(formula.right);
      return row(
        math(formula.left),
        leaf('mo', '−'),
        isNegative(formula.right) ? fenced(right) : right,
      );
    }
    case 'fraction':
      return { tag: 'mfrac', children: [math(formula.top), math(formula.bottom)] };
    case 'partial': {
      const [top, bottom] = [formula.top, formula.bottom].map((inner) =>
        row(leaf('mo', '∂'), math(inner)),
      );
      return { tag: 'mfrac', children: [top, bottom] };
    }
    case 'power':
      return { tag: 'msup', children: [grouped(formula.base), math(formula.exponent)] };
    case 'call':
      return row(leaf('mi', formula.name), fenced(math(formula.argument)));
    case 'relation':
      return row(math(formula.left), leaf('mo', formula.sign), math(formula.right));
    case 'part': {
      const body = math(formula.body);
      return { tag: 'mrow', children: [body], part: formula.name };
    }
  }
}
