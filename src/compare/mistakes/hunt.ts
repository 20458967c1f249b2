// Looks for the formula by which a tensor was made: the right one with one slip, with a factor, with two.
import { Evaluator, type Operand, type Read } from '../../engine/evaluate.ts';
import { type Formula, hole, number, plus, product, symbol } from '../../engine/formula.ts';
import { type Graph, hasNode, nodeOf, operationNodes } from '../../engine/graph.ts';
import { identityOf } from '../../engine/identity.ts';
import { largestMagnitude, type Tensor } from '../../engine/tensor.ts';
import { mapInner } from '../../engine/where.ts';
import type { Site } from '../edits/edit.ts';
import { shareOf } from '../edits/solve.ts';
import { isMisfit, type Key, referenceProgram } from '../program/program.ts';
import { dependentsOf } from '../search/reach.ts';
import { type Agreement, agreement, isTelling } from './evidence.ts';
import { formsOf, rightFormula } from './forms.ts';
import type { Mistake, Scope, Slip } from './mistake.ts';
import { type Mutant, mutants } from './mutants.ts';
import { scopeOf } from './scope.ts';

/** Of the work meter, some 300 a microsecond: half a second for one slip, and less for two, which come early or never. */
const SINGLES_WORK = 1.5e8;
const PAIRS_WORK = 1.2e8;
/** With two slips found, for others that make the same. */
const MORE_WORK = 4e7;
const WORK_OF_CANDIDATE = 2500;
const WORK_OF_ENTRY = 12;
/** Two slips are told only where none of them is far-fetched; the usual ones in the plainest forms are tried first. */
const MOST_COST_IN_PAIRS = 1.3;
const COSTS_IN_PAIRS = [
  [0, 1.1],
  [1.1, Infinity],
] as const;
/** Each form is so much stranger than the one before. */
const FORM = 0.05;
const MOST_ACCEPTED = 4;
/** Formulas that reproduce the tensor too and are so little farther are told beside the first. */
const MOST_RIVALS = 6;
const AS_LIKELY = 0.35;
/** A second slip costs so much more than a first. */
const SECOND = 0.5;
const FACTOR = 1.2;
/** Beyond this many entries each candidate takes long, and one is hardly ever needed. */
const MOST_ENTRIES = 20_000;

const givenOf = new WeakMap<Graph, ReadonlyMap<string, Operand>>();

/** What the operations of a graph are given beside its nodes. */
function givenIn(graph: Graph): ReadonlyMap<string, Operand> {
  const known = givenOf.get(graph);
  if (known) return known;
  const given = new Map<string, Operand>();
  for (const { id, operation, inputs } of operationNodes(graph)) {
    const own = operation.formula({ output: id, inputs }).given ?? {};
    for (const [name, operand] of Object.entries(own)) given.set(name, operand);
  }
  givenOf.set(graph, given);
  return given;
}

/** The tensors that formulas of a place may speak of. */
export function readOf({ state, graph }: Pick<Site, 'state' | 'graph'>): Read {
  const given = givenIn(graph);
  return (name) => {
    if (hasNode(graph, name)) return { axes: nodeOf(graph, name).axes, tensor: state.value(name) };
    const id = name.slice(1);
    if (name.startsWith('d') && hasNode(graph, id))
      return { axes: nodeOf(graph, id).axes, tensor: state.gradient(id) };
    return given.get(name);
  };
}

/** l stands for a key in the sums of the softmax. */
export const extentsOf = ({ graph: { extents } }: Pick<Site, 'graph'>): Record<string, number> => ({
  ...extents,
  l: extents['i'],
});

/** What a formula of the tensors there makes, in the axes of the place. */
export const computedBy = (site: Site, formula: Formula): Tensor =>
  new Evaluator(readOf(site), extentsOf(site)).tensor(formula, site.node.axes);

interface Tried {
  readonly formula: Formula;
  readonly slips: readonly Slip[];
  readonly cost: number;
}

/** One slip, on which another one is tried. */
type First = Tried & Pick<Mutant, 'place'>;

/**
 * What reproduces the tensor, the shortest description first; empty where nothing does beyond chance. `right`: the formula
 * of a tensor that is no node, of which little is told: one slip alone.
 */
export function hunt(site: Site, inPairs: boolean, right = rightFormulaOf(site)): Mistake[] {
  return right ? new Hunt(site, right).found(inPairs) : [];
}

const rightFormulaOf = ({ graph, node, kind }: Site): Formula | null =>
  rightFormula(graph, node.id, kind);

class Hunt {
  readonly #site: Site;
  readonly #evaluator: Evaluator;
  readonly #scope: Scope;
  readonly #forms: readonly Formula[];
  readonly #user: Tensor;
  readonly #right: Tensor;
  /** Accepted absolute difference. */
  readonly #floor: number;
  readonly #isPlain: boolean;
  readonly #largestAt: number;
  readonly #known = new Set<number>();
  readonly #accepted: (Tried & { agreed: Agreement; holes: number })[] = [];
  #tried = 0;
  #work = 0;
  #enough = Infinity;

  constructor(site: Site, right: Formula) {
    this.#site = site;
    const { goal, graph, state, config, kind } = site;
    const later = dependentsOf(goal.key, referenceProgram(graph));
    const isLater = (key: Key): boolean => later.has(key);
    this.#evaluator = new Evaluator(readOf(site), extentsOf(site));
    this.#scope = scopeOf(site, isLater);
    const isHidden = (name: string): boolean => {
      // The values that a backward pass reads are right: it is told from them.
      if (hasNode(graph, name)) return kind === 'value' && !state.given.values.has(name);
      return name.startsWith('d') && !state.given.gradients.has(name.slice(1));
    };
    this.#forms = formsOf(graph, config.softcap, right, kind, isHidden);
    this.#user = goal.user;
    this.#right = site.target!.predicted;
    this.#floor = site.precision * largestMagnitude(goal.user);
    this.#isPlain = goal.look(goal.user) === goal.user;
    this.#largestAt = goal.user.data.reduce(
      (best, value, at, all) => (Math.abs(value) > Math.abs(all[best]) ? at : best),
      0,
    );
  }

  found(inPairs: boolean): Mistake[] {
    const { node, kind } = this.#site;
    if (this.#user.data.length > MOST_ENTRIES) return [];
    const singles: First[] = [];
    for (const [n, form] of this.#forms.entries()) {
      if (this.#isLate(SINGLES_WORK)) break;
      if (!this.#vary(form)) continue;
      for (const mutant of mutants(form, this.#scope)) {
        if (this.#isLate(SINGLES_WORK)) break;
        const { formula, slip, place } = mutant;
        const tried = { formula, slips: [slip], cost: mutant.cost + FORM * n };
        if (this.#try(tried) && mutant.cost <= MOST_COST_IN_PAIRS)
          singles.push({ ...tried, place });
      }
      this.#solve(form, n);
    }
    // A number that is only fitted is told where nothing is exact.
    if (inPairs && this.#accepted.every(({ holes }) => holes > 0)) this.#pairs(singles);
    this.#site.state.meter.work += this.#work;
    const telling = this.#accepted
      .filter(({ agreed, holes }) => isTelling(agreed, this.#tried, holes))
      .sort((a, b) => a.holes - b.holes || a.cost - b.cost);
    const others = this.#others();
    return telling.map(({ formula, slips, cost, holes }, n) => {
      const rivals = n === 0 ? telling.slice(1, MOST_RIVALS) : [];
      const other = rivals.find(
        (each) =>
          each.holes === holes &&
          each.cost <= cost + AS_LIKELY &&
          !others.areEqual(each.formula, formula),
      );
      return { node: node.id, kind, formula, slips, cost, ...(other && { other }) };
    });
  }

  /** The same place with other numbers: whether two formulas are one. */
  #others(): { areEqual(a: Formula, b: Formula): boolean } {
    const read = readOf(this.#site);
    const known = new Map<string, Operand | undefined>();
    const other: Read = (name) => {
      const own = known.get(name) ?? read(name);
      if (own && !known.has(name)) known.set(name, scattered(own, known.size));
      return known.get(name);
    };
    const evaluator = new Evaluator(other, extentsOf(this.#site));
    const { axes } = this.#site.node;
    const areEqual = (a: Formula, b: Formula): boolean => {
      const [one, two] = [a, b].map((each) => evaluator.tensor(each, axes));
      const most = 1e-9 * Math.max(largestMagnitude(one), largestMagnitude(two));
      return one.data.every((value, at) => !(Math.abs(value - two.data[at]) > most));
    };
    return { areEqual };
  }

  #isLate(most: number): boolean {
    return this.#work > most;
  }

  /** The cheapest slips two by two, then all. */
  #pairs(singles: readonly First[]): void {
    const sorted = [...singles].sort((a, b) => a.cost - b.cost);
    this.#enough = Math.min(this.#enough, this.#work + PAIRS_WORK);
    for (const [least, most] of COSTS_IN_PAIRS) {
      for (const first of sorted) {
        if (first.cost > most || !this.#vary(first.formula)) continue;
        for (const second of mutants(first.formula, this.#scope)) {
          if (this.#isLate(this.#enough) || this.#accepted.length > MOST_ACCEPTED) return;
          // The other order is tried too.
          if (second.place < first.place || second.cost > MOST_COST_IN_PAIRS) continue;
          const dearer = Math.max(first.cost, second.cost);
          if (dearer > most || dearer <= least) continue;
          const cost = first.cost + second.cost + SECOND;
          this.#hold({ formula: second.formula, slips: [...first.slips, second.slip], cost });
        }
      }
    }
  }

  /** Whether the formula can be computed and is new; what reproduces the tensor is kept. */
  #try(tried: Tried): boolean {
    const id = identityOf(tried.formula);
    if (this.#known.has(id)) return false;
    this.#known.add(id);
    return this.#hold(tried);
  }

  #vary(formula: Formula): boolean {
    const { work } = this.#evaluator;
    try {
      this.#evaluator.vary(formula);
      return true;
    } catch (error) {
      if (isMisfit(error)) return false;
      throw error;
    } finally {
      this.#work += WORK_OF_ENTRY * (this.#evaluator.work - work);
    }
  }

  /** Holds what a formula makes against the tensor; false where it makes nothing. */
  #hold(tried: Tried): boolean {
    const value = this.#value(tried.formula);
    if (!value) return false;
    if (this.#matches(value, 1)) this.#accept(tried, value, 0);
    else this.#withFactor(tried, value);
    return true;
  }

  #value(formula: Formula): Tensor | null {
    const { axes } = this.#site.node;
    this.#tried++;
    const { work } = this.#evaluator;
    try {
      const value = this.#evaluator.variation(formula, axes);
      return this.#isPlain || !value ? value : this.#site.goal.look(value);
    } catch (error) {
      if (isMisfit(error)) return null;
      throw error;
    } finally {
      this.#work += WORK_OF_CANDIDATE + WORK_OF_ENTRY * (this.#evaluator.work - work);
    }
  }

  #matches({ data }: Tensor, ratio: number): boolean {
    const user = this.#user.data;
    for (let at = 0; at < user.length; at++) {
      const [own, found] = [user[at], ratio * data[at]];
      if (own === found) continue;
      // NaN, where the other is a number, is no match either.
      if (!(Math.abs(own - found) <= this.#floor)) {
        if (!(Number.isNaN(own) && Number.isNaN(found))) return false;
      }
    }
    return true;
  }

  #withFactor(tried: Tried, value: Tensor): void {
    const ratio = this.#user.data[this.#largestAt] / value.data[this.#largestAt];
    if (!Number.isFinite(ratio) || ratio === 0 || !this.#matches(value, ratio)) return;
    const named = this.#scope.numbers.find(
      (each) => Math.abs(each.value / ratio - 1) <= Math.max(this.#site.precision * 4, 1e-9),
    );
    const isSign = Math.abs(ratio + 1) <= this.#site.precision * 4;
    const factor = named?.value ?? (isSign ? -1 : ratio);
    const say = isSign
      ? 'the sign is wrong'
      : `multiplied by ${named?.name ?? String(Number(ratio.toPrecision(6)))}`;
    const is = product(number(factor), tried.formula);
    const slip: Slip = { operator: isSign ? 'sign' : 'factor', say, was: tried.formula, is };
    const cost = tried.cost + SECOND + (named || isSign ? FACTOR : 2 * FACTOR);
    const slips = [...tried.slips, slip];
    const scaled = { shape: value.shape, data: value.data.map((each) => ratio * each) };
    this.#accept({ formula: is, slips, cost }, scaled, named || isSign ? 0 : 1);
  }

  #accept(tried: Tried, value: Tensor, holes: number): void {
    const agreed = agreement(this.#user, this.#right, value, this.#floor);
    this.#accepted.push({ ...tried, agreed, holes });
    const isTold = holes === 0 && isTelling(agreed, this.#tried);
    if (isTold) this.#enough = Math.min(this.#enough, this.#work + MORE_WORK);
  }

  /** One number of a formula, or the share of one of its terms, as the tensor tells it. */
  #solve(form: Formula, n: number): void {
    const isBackward = this.#site.kind === 'gradient';
    for (const { open, say, was } of withHoles(form, isBackward)) {
      if (this.#isLate(SINGLES_WORK)) return;
      const [zero, one] = [0, 1].map((value) => this.#value(filled(open, value)));
      if (!zero || !one) continue;
      const c = shareOf(this.#user, zero, one);
      if (c === null) continue;
      const made = [Number(c.toPrecision(12)), c].flatMap((each) => {
        const [formula, value] = [filled(open, each), this.#value(filled(open, each))];
        return value && this.#matches(value, 1) ? [{ formula, value }] : [];
      });
      if (made.length === 0) continue;
      const [{ formula, value }] = made;
      const text = String(Number(c.toPrecision(6)));
      const slip: Slip = { operator: 'hole', say: say(text), was, is: number(c) };
      this.#accept({ formula, slips: [slip], cost: 2 + FORM * n }, value, 1);
    }
  }
}

/** Other numbers of the same size, the same at every run; infinities and zeros, which are masks, stay. */
function scattered({ axes, tensor }: Operand, seed: number): Operand {
  const data = tensor.data.map((value, at) => {
    const turn = Math.sin(12.9898 * (at + 1) + 78.233 * (seed + 1)) * 43_758.5453;
    return Number.isFinite(value) && value !== 0 ? value * (0.5 + turn - Math.floor(turn)) : value;
  });
  return { axes, tensor: { shape: tensor.shape, data } };
}

interface Open {
  readonly open: Formula;
  readonly say: (number: string) => string;
  readonly was: Formula;
}

const HOLE = hole('c');

/** A number, or a term's share, left open; backward also by how much a weight has been changed already. */
function* withHoles(formula: Formula, isBackward: boolean): Generator<Open> {
  const inner: Formula[] = [];
  mapInner(formula, (each) => {
    inner.push(each);
    return each;
  });
  const put = (n: number, by: Formula): Formula => {
    let seen = 0;
    return mapInner(formula, (each) => (seen++ === n ? by : each));
  };
  const isSum = formula.kind === 'add' || formula.kind === 'subtract';
  for (const [n, each] of inner.entries()) {
    if (each.kind === 'number') {
      const say = (text: string): string => `${text} stands in the place of ${each.value}`;
      yield { open: put(n, HOLE), say, was: each };
      continue;
    }
    if (isBackward && each.kind === 'symbol' && each.name.startsWith('W_')) {
      const change = product(HOLE, symbol(`d${each.name}`, each.indices));
      const say = (text: string): string =>
        `${each.name} has been updated already: ${each.name} ${text.replace(/^(?=\d)/, '+ ').replace('-', '− ')} d${each.name} stands in its place`;
      yield { open: put(n, plus(each, change)), say, was: each };
    }
    if (isSum) {
      const say = (text: string): string => `a term is multiplied by ${text}`;
      yield { open: put(n, product(HOLE, each)), say, was: each };
    }
    for (const own of withHoles(each, isBackward)) yield { ...own, open: put(n, own.open) };
  }
}

function filled(formula: Formula, value: number): Formula {
  if (formula.kind === 'hole') return number(value);
  return mapInner(formula, (inner) => filled(inner, value));
}
