// Mistakes as a table of text: where, under which name, and the formula that is computed.
import type { Letter } from '../../engine/axes.ts';
import { collapsed } from '../../engine/collapse.ts';
import { equals, type Formula, symbol, toText } from '../../engine/formula.ts';
import { type Graph, nodeOf, type NodeId, tensorName } from '../../engine/graph.ts';
import { dependsOn, innerOf } from '../../engine/where.ts';
import { type Context, type Edit, type Family, roles, type Site } from '../edits/edit.ts';
import { makeEdit } from '../edits/make.ts';
import { keyOf } from '../program/program.ts';
import {
  type Contribution,
  contributionFormulas,
  rightFormula,
  rightOf,
  substituted,
} from './forms.ts';
import { type Part, withParts } from './place.ts';
import { parsed, type Vocabulary } from './text.ts';
import { tensorsOf, vocabularyOf, withNames } from './vocabulary.ts';

/** What a table says of all its rows. */
export interface Shared {
  readonly cost?: number;
  readonly why?: string;
  /** The formula as people write it, where it is too long as it is. */
  readonly wrong?: string;
  readonly right?: string;
  readonly numpy?: string;
  readonly pytorch?: string;
  /** Only the forward pass is mistaken. */
  readonly isForwardOnly?: boolean;
}

export interface Row extends Shared {
  /** Nodes or their roles, with a d in front for gradients, where it may be found: "Z", "dvalues,dlogits". */
  readonly on: string;
  readonly id: string;
  readonly title: string;
  /** Of that place; of several, a line each: "dlogits: P * dP". "P := P^2" is the right formula with P² for P. */
  readonly formula: string;
  /** Names that the setup must have; with a ! in front, that it must not have. */
  readonly needs?: readonly string[];
  /** Tensors that stand in the formula and are none of the program. */
  readonly given?: Part['given'];
  /** Numbers that stand in the formula, and in braces in the title. */
  readonly numbers?: Readonly<Record<string, number>>;
  /** Formulas that names in it stand for. */
  readonly terms?: Readonly<Record<string, Formula>>;
}

const HEAD = /^(\S+) (\S+)(?: \[([^\]]+)\])?(?: (\d[\d.]*))?: (.*)$/;

/**
 * Rows of a text: a line "where id [needs] cost: title" (needs may lack, and the cost, which is that of the table then),
 * and below it, indented, the formula (a line for each place) and, with a bar in front, why people make it;
 * with a colon, how the formula is shown where it is long.
 */
export function rowsOf(text: string, shared: Shared = {}): Row[] {
  const rows: Row[] = [];
  for (const line of text.split('\n').filter((each) => each.trim() !== '')) {
    const [, on, id, needs, cost, title] = (line.startsWith(' ') ? null : HEAD.exec(line)) ?? [];
    if (title !== undefined) {
      const own = {
        ...(cost && { cost: Number(cost) }),
        ...(needs && { needs: needs.split(' ') }),
      };
      rows.push({ ...shared, on, id, title, formula: '', ...own });
      continue;
    }
    const last = rows.pop()!;
    const [, mark, words] = /^ +([|:]) (.*)/.exec(line) ?? [];
    const formula = last.formula === '' ? line.trim() : `${last.formula}\n${line.trim()}`;
    const change = mark === '|' ? { why: words } : { wrong: words };
    rows.push({ ...last, ...(mark === undefined ? { formula } : change) });
  }
  return rows;
}

/** What stands in the place of braces; a number, text or true is also something that a setup has. */
export type Words = Readonly<Record<string, string | number | boolean | undefined>>;

/** The rows that need nothing of which the words say that it is not there, with the words in the place of braces. */
export function withWords(rows: readonly Row[], words: Words): Row[] {
  const filled = (text: string): string =>
    text.replaceAll(/\{([\w ]+)\}/g, (all, name: string) => String(words[name] ?? all));
  const isMet = (need: string): boolean =>
    need.startsWith('!') ? !words[need.slice(1)] : Boolean(words[need]);
  const isKnown = (need: string): boolean => need.replace('!', '') in words;
  return rows
    .filter(({ needs = [] }) => needs.every((need) => !isKnown(need) || isMet(need)))
    .map((row) => ({
      ...row,
      ...{ on: filled(row.on), title: filled(row.title), formula: filled(row.formula) },
      ...(row.why !== undefined && { why: filled(row.why) }),
      ...(row.wrong !== undefined && { wrong: filled(row.wrong) }),
      needs: row.needs?.filter((need) => !isKnown(need)),
    }));
}

/** The rows that speak of a place, by its node or the role of that. */
function rowsAt({ graph, node, kind }: Site, rows: readonly Row[]): Row[] {
  const own = Object.entries(roles(graph)).flatMap(([role, id]) => (id === node.id ? [role] : []));
  const names = new Set([node.id, ...own].map((name) => tensorName(name, kind)));
  return rows.filter(({ on }) => on.split(',').some((name) => names.has(name)));
}

/** What all tables need of a setup, made once: names, formulas by their text, what is passed to each node. */
interface Setup {
  readonly vocabulary: Vocabulary;
  readonly formulas: Map<string, Formula | null>;
  readonly passed: PassedTo;
}

const setups = new WeakMap<Graph, Setup>();

function setupOf(context: Context): Setup {
  const { graph } = context;
  const known = setups.get(graph);
  if (known) return known;
  const setup = { vocabulary: vocabularyOf(context), formulas: new Map(), passed: passedTo(graph) };
  setups.set(graph, setup);
  return setup;
}

/** A formula of a text, which many rows share that have no names of their own. */
function formulaOf({ vocabulary, formulas }: Setup, text: string, row: Row): Formula | null {
  if (row.numbers || row.terms) return parsed(text, withNames(vocabulary, row));
  let own = formulas.get(text);
  if (own === undefined) formulas.set(text, (own = parsed(text, vocabulary)));
  return own;
}

/** A row in a setup. */
interface Read {
  readonly row: Row;
  readonly title: string;
  readonly parts: readonly Part[];
}

/**
 * The mistakes of a table, each where it can be made; of a table that depends on the setup, `rows` makes it. What was read
 * for a setup is kept as long as that is.
 */
export function familyOf(rows: readonly Row[] | ((site: Site) => readonly Row[])): Family {
  const known = new WeakMap<Graph, Map<string, readonly Read[]>>();
  return (site) => {
    const { graph, node, kind } = site;
    const ofGraph = known.get(graph) ?? new Map<string, readonly Read[]>();
    known.set(graph, ofGraph);
    const key = keyOf(node.id, kind);
    let own = ofGraph.get(key);
    if (!own) {
      const here = rowsAt(site, typeof rows === 'function' ? rows(site) : rows);
      const setup = setupOf(site);
      own = here.flatMap((row) => read(site, row, setup) ?? []);
      ofGraph.set(key, own);
    }
    return own.flatMap((each) => editOf(site, each) ?? []);
  };
}

/** The mistakes of rows that depend on the person's tensors: nothing of them is kept. */
export function editsOf(site: Site, rows: readonly Row[]): Edit[] {
  const here = rowsAt(site, rows);
  const setup = setupOf(site);
  return here.flatMap((row) => {
    const own = read(site, row, setup);
    return (own && editOf(site, own)) ?? [];
  });
}

/** Null where the setup does not have what the row speaks of. */
function read(site: Site, row: Row, setup: Setup): Read | null {
  const { term } = withNames(setup.vocabulary, row);
  const has = (each: string): boolean => term(each) !== null;
  if (row.needs?.some((each) => (each.startsWith('!') ? has(each.slice(1)) : !has(each))))
    return null;
  const [{ title }] = withWords([{ ...row, needs: [] }], {
    ...roles(site.graph),
    ...row.numbers,
  });
  const parts: Part[] = [];
  for (const line of row.formula.split('\n')) {
    const [, where, text] = /^(\w+): (.*)$/.exec(line) ?? [null, null, line];
    const place = where === null ? site : placeNamed(site, where);
    const own = place && partsOf(place, row, text, setup);
    if (!own || own.length === 0) return null;
    parts.push(...own);
  }
  return { row, title, parts };
}

type PassedTo = (node: NodeId) => readonly Contribution[];

/** The contributions to each node's gradient as programs compute them, each once. */
function passedTo(graph: Graph): PassedTo {
  const known = new Map<NodeId, readonly Contribution[]>();
  return (node) => {
    const own =
      known.get(node) ??
      contributionFormulas(graph, node).map((each) => ({
        ...each,
        formula: collapsed(each.formula),
      }));
    known.set(node, own);
    return own;
  };
}

type Spot = Pick<Site, 'graph' | 'node' | 'kind'>;

function placeNamed(site: Site, name: string): Spot | null {
  const found = tensorsOf(site.graph)(name);
  return found && { graph: site.graph, node: nodeOf(site.graph, found[0]), kind: found[1] };
}

const SUBSTITUTION = /^(.*?;)? *([\w@]+) := (.*)$/;

/** The formula there, or, where it is "name := formula", the right ones with that in the place of the name. */
function partsOf({ graph, node, kind }: Spot, row: Row, text: string, setup: Setup): Part[] {
  const [, before = '', name, right] = SUBSTITUTION.exec(text) ?? [];
  const place = { node: node.id, kind, ...(row.given && { given: row.given }) };
  const formula = formulaOf(setup, right === undefined ? text : before + right, row);
  if (!formula) return [];
  if (name === undefined) return [{ ...place, formula }];
  const replaced = setup.vocabulary.term(name);
  if (replaced?.kind !== 'symbol') return [];
  const by = { name: replaced.name, letters: replaced.indices.flat(), by: formula };
  if (kind === 'value') {
    const own = rightFormula(graph, node.id, kind);
    return own && dependsOn(own, by.name)
      ? [{ ...place, formula: substituted(own, by), isSubstituted: true }]
      : [];
  }
  return setup
    .passed(node.id)
    .filter((each) => dependsOn(each.formula, by.name))
    .map(({ from, slot, formula: own }) => ({
      ...place,
      ...{ from: { id: from.id, slot }, isSubstituted: true },
      formula: substituted(own, by),
    }));
}

/** Letters that are summed over, or stand at another index. */
const lettersMixed = (formula: Formula): Letter[] => [
  ...(formula.kind === 'sum' || formula.kind === 'reduce' ? formula.over : []),
  ...(formula.kind === 'index' ? [formula.letter] : []),
  ...innerOf(formula).flatMap(lettersMixed),
];

/** Null in a step that is another already: the right formula is none to put a name in. */
function editOf(site: Site, { row, title, parts }: Read): Edit | null {
  const { node, kind, graph } = site;
  const { forward, backward } = site.state.program;
  const isOther = ({ node: id, kind: of, from, isSubstituted }: Part): boolean =>
    isSubstituted === true &&
    (of === 'value'
      ? forward.get(id) !== nodeOf(graph, id)
      : backward.get(from!.id) !== nodeOf(graph, from!.id));
  if (parts.some(isOther)) return null;
  const left = ({ node: id, kind: of }: Part): Formula =>
    symbol(tensorName(id, of), nodeOf(site.graph, id).axes);
  const wrong = (): string =>
    parts.map((part) => toText(equals(left(part), part.formula))).join('; ');
  const [first] = parts;
  const isAlone = parts.length === 1 && first.node === node.id && first.kind === kind;
  const say = {
    ...{ id: row.id, title, cost: row.cost ?? 1 },
    ...{ right: row.right, numpy: row.numpy, pytorch: row.pytorch },
    get mixes() {
      return parts.flatMap(({ formula }) => lettersMixed(formula));
    },
    get why() {
      return row.why ?? `${tensorName(node.id, kind)} is exactly ${toText(first.formula)}.`;
    },
    get wrong() {
      return row.wrong ?? wrong();
    },
    get formulas() {
      if (!isAlone || first.from || first.given || row.wrong !== undefined) return undefined;
      return {
        wrong: equals(left(first), first.formula),
        right: equals(left(first), rightOf(site)),
      };
    },
  };
  return makeEdit(site, node.id, kind, say, (program) =>
    withParts(site, program, parts, row.isForwardOnly),
  );
}
