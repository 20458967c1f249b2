// A formula in LaTeX.
import { comparisonOfNot, type Formula, formatNumber, type Reduce } from '../formula.ts';

const GREEK: Readonly<Record<string, string>> = { θ: '\\theta', σ: '\\sigma', δ: '\\delta' };

const REDUCE: Readonly<Record<Reduce, string>> = {
  mean: '\\operatorname{mean}',
  max: '\\max',
  last: '\\operatorname{last}',
  first: '\\operatorname{first}',
  running: '\\operatorname{cumsum}',
  peak: '\\operatorname{cummax}',
};

const KNOWN = /^(exp|log|sin|cos|tan|sinh|cosh|tanh)$/;

/** "W_K" has a subscript of its own; a name of several letters is set upright. */
function written(name: string, indices: readonly string[]): string {
  const isGradient = /^d[A-Zx-y]/.test(name);
  const [base, ...subscript] = (isGradient ? name.slice(1) : name).replace('′', "'").split('_');
  const letters = GREEK[base] ?? (base.length > 1 ? `\\mathrm{${base}}` : base);
  const lower = [
    ...subscript.map((each) => (each.length > 1 ? `\\mathrm{${each}}` : each)),
    ...indices,
  ];
  const index = lower.length > 0 ? `_{${lower.join(',')}}` : '';
  return `${isGradient ? '\\mathrm{d}' : ''}${letters}${index}`;
}

const isSum = (formula: Formula): boolean =>
  formula.kind === 'add' ||
  formula.kind === 'subtract' ||
  formula.kind === 'relation' ||
  (formula.kind === 'part' && isSum(formula.body));

const isLoose = (formula: Formula): boolean =>
  isSum(formula) ||
  /^(sum|reduce|product|fraction|power|relation)$/.test(formula.kind) ||
  (formula.kind === 'part' && isLoose(formula.body));

type Sources = Readonly<Record<string, string>>;

/** Without surrounding dollar signs; `sources`: what stands for a letter. */
export function toLatex(formula: Formula, sources: Sources = {}): string {
  const own = (inner: Formula): string => toLatex(inner, sources);
  const fenced = (inner: Formula): string => `\\left(${own(inner)}\\right)`;
  const grouped = (inner: Formula): string => (isSum(inner) ? fenced(inner) : own(inner));
  const closed = (inner: Formula): string =>
    isSum(inner) || inner.kind === 'sum' || inner.kind === 'reduce' ? fenced(inner) : own(inner);
  const under = (letters: readonly string[]): string => `_{${letters.join(',')}}`;
  switch (formula.kind) {
    case 'symbol':
      return written(
        formula.name,
        formula.indices.map((axis) =>
          axis.length === 1
            ? (sources[axis[0]] ?? axis[0])
            : `(${axis.map((letter) => sources[letter] ?? letter).join(' ')})`,
        ),
      );
    case 'number':
      return formatNumber(formula.value)
        .replace('−', '-')
        .replace('∞', '\\infty')
        .replace(/e([+-]?\d+)$/, ' \\cdot 10^{$1}');
    case 'words':
      return `\\text{${formula.text}}`;
    case 'sum':
      return `\\sum${under(formula.over)} ${grouped(formula.body)}`;
    case 'reduce':
      return `${REDUCE[formula.how]}${under(formula.over)} ${grouped(formula.body)}`;
    case 'product':
      return formula.factors
        .map((each, n) => (n < formula.factors.length - 1 ? closed(each) : grouped(each)))
        .join(' \\, ');
    case 'add':
      return formula.terms.map(own).join(' + ');
    case 'subtract':
      return `${own(formula.left)} - ${grouped(formula.right)}`;
    case 'fraction':
      return `\\frac{${own(formula.top)}}{${own(formula.bottom)}}`;
    case 'partial':
      return `\\frac{\\partial ${own(formula.top)}}{\\partial ${own(formula.bottom)}}`;
    case 'power': {
      const { base } = formula;
      return `${isLoose(base) ? fenced(base) : own(base)}^{${own(formula.exponent)}}`;
    }
    case 'modulo':
      return `\\left(${grouped(formula.left)} \\bmod ${grouped(formula.right)}\\right)`;
    default:
      return others(formula, sources, own);
  }
}

type Other = Extract<
  Formula,
  { kind: 'call' | 'relation' | 'part' | 'at' | 'index' | 'hole' | 'where' }
>;

function others(formula: Other, sources: Sources, own: (inner: Formula) => string): string {
  switch (formula.kind) {
    case 'call': {
      const { name } = formula;
      const holds = comparisonOfNot(formula);
      if (holds) return `\\left[${own(holds)}\\right]`;
      if (name === 'sqrt') return `\\sqrt{${own(formula.argument)}}`;
      const command = KNOWN.test(name) ? `\\${name}` : `\\operatorname{${name}}`;
      return `${command}\\left(${own(formula.argument)}\\right)`;
    }
    case 'relation': {
      const sign = { '=': '=', '+=': '\\mathrel{+}=', '≤': '\\le', '<': '<' }[formula.sign];
      return `${own(formula.left)} ${sign} ${own(formula.right)}`;
    }
    case 'part':
      return own(formula.body);
    case 'at':
      return sources[formula.letter] ?? formula.letter;
    case 'index':
      return toLatex(formula.body, { ...sources, [formula.letter]: own(formula.source) });
    case 'hole':
      return formula.name;
    case 'where':
      return `${own(formula.body)}, \\quad ${formula.definitions.map(own).join(', \\; ')}`;
  }
}
