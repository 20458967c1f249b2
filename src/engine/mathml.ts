// Formulas as trees of MathML elements.
import {
  comparisonOfNot,
  type Formula,
  formatNumber,
  inside,
  isCompound,
  isOpen,
  isSum,
  moved,
  reduceSign,
  writeIndices,
  writtenLetter,
  type Writing,
} from './formula.ts';

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

function beginsWithNumber(formula: Formula, writing: Writing): boolean {
  const inner = unmarked(formula);
  switch (inner.kind) {
    case 'product':
      return beginsWithNumber(inner.factors[0], writing);
    case 'power':
      return !isCompound(inner.base) && beginsWithNumber(inner.base, writing);
    case 'at':
      return /^\d/.test(writtenLetter(inner.letter, writing));
    default:
      return inner.kind === 'number';
  }
}

/** A number below 0, which has to be bracketed behind another sign. */
function isNegative(formula: Formula): boolean {
  const inner = unmarked(formula);
  return inner.kind === 'number' && inner.value < 0;
}

/** Factors stand beside each other, with a dot before a number, which would seem to belong to the one before. */
function productOf(
  factors: readonly Formula[],
  grouped: (inner: Formula) => MathNode,
  writing: Writing,
): MathNode[] {
  return factors.flatMap((each, n) => {
    const own = grouped(each);
    const isCut = n < factors.length - 1 && isOpen(each) && !isSum(each);
    const inner = isNegative(each) || isCut ? row(leaf('mo', '('), own, leaf('mo', ')')) : own;
    return n > 0 && beginsWithNumber(each, writing) ? [leaf('mo', '·'), inner] : [inner];
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
      return row(...productOf(formula.factors, grouped, writing));
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
      return {
        tag: 'msup',
        children: [
          isCompound(formula.base) ? fenced(math(formula.base)) : math(formula.base),
          math(formula.exponent),
        ],
      };
    case 'call': {
      // Iverson's bracket: 1 where it holds, else 0.
      const holds = comparisonOfNot(formula);
      if (holds) return row(leaf('mo', '['), math(holds), leaf('mo', ']'));
      return row(leaf('mi', formula.name), fenced(math(formula.argument)));
    }
    case 'relation':
      return row(math(formula.left), leaf('mo', formula.sign), math(formula.right));
    case 'part': {
      const body = math(formula.body);
      return { tag: 'mrow', children: [body], part: formula.name };
    }
    default:
      return indexedMath(formula, writing, grouped);
  }
}

type Indexed = Extract<Formula, { kind: 'reduce' | 'index' | 'at' | 'modulo' | 'hole' | 'where' }>;

function indexedMath(
  formula: Indexed,
  writing: Writing,
  grouped: (inner: Formula) => MathNode,
): MathNode {
  const math = (inner: Formula): MathNode => toMath(inner, writing);
  switch (formula.kind) {
    case 'reduce': {
      const under = leaf('mi', formula.over.join(' '));
      const sign = leaf('mo', reduceSign[formula.how]);
      return row({ tag: 'munder', children: [sign, under] }, grouped(formula.body));
    }
    case 'index':
      return toMath(formula.body, moved(formula, writing));
    case 'at': {
      const written = writtenLetter(formula.letter, writing);
      return leaf(/^\d+$/.test(written) ? 'mn' : 'mi', written);
    }
    case 'modulo':
      return row(
        leaf('mo', '('),
        math(formula.left),
        leaf('mo', 'mod'),
        math(formula.right),
        leaf('mo', ')'),
      );
    case 'hole':
      return leaf('mi', formula.name);
    case 'where': {
      const definitions = joined(formula.definitions.map(math), ',');
      return row(math(formula.body), leaf('mtext', ',\u00a0where\u00a0'), ...definitions);
    }
  }
}
