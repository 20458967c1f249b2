// What the names in the tables of masks stand for: masks of the setup without some of its parts, places, slopes.
import { type AxisLetters, isOfHeads, type Letter } from '../../engine/axes.ts';
import type { HeadConfig, MaskPart } from '../../engine/config.ts';
import { Evaluator, type Operand } from '../../engine/evaluate.ts';
import { type Formula, number, symbol } from '../../engine/formula.ts';
import { additiveMask, alibiSlopes, broadcast } from '../../engine/heads/mask.ts';
import { nullKeys } from '../../engine/heads/multihead.ts';
import type { ScoreLayout } from '../../engine/heads/scoreLayout.ts';
import type { GraphNode } from '../../engine/graph.ts';
import { replacedAt } from '../../engine/lists.ts';
import { map, type Tensor, zeros } from '../../engine/tensor.ts';
import { FILL } from '../judge/conventions.ts';
import { type Context, pastTokens } from '../edits/edit.ts';
import { DoesNotFit } from '../program/program.ts';
import type { Row } from './table.ts';
import { parsed, type Vocabulary } from './text.ts';
import { joined } from './turning.ts';
import { withNames } from './vocabulary.ts';

export function layoutOf(context: Context, node: GraphNode): ScoreLayout {
  return {
    axes: node.axes,
    extents: context.graph.extents,
    heads: node.axes.flat().filter(isOfHeads),
    past: pastTokens(context),
    nulls: nullKeys(context.config),
  };
}

/** The right mask, or zeros where the setup has none. */
export const rightMask = (context: Context, node: GraphNode): Tensor => maskWith(context, node, {});

const maskWith = (context: Context, node: GraphNode, change: Partial<HeadConfig>): Tensor =>
  additiveMask({ ...context.config, ...change }, layoutOf(context, node)) ?? zeros(node.shape);

/** How many keys before its own place the first query sees of a causal mask. */
export const offsetOf = (context: Context): number =>
  context.config.mask === 'causal-bottom-right'
    ? context.graph.extents['i'] - context.graph.extents['j']
    : pastTokens(context);

export interface MaskWords {
  readonly vocabulary: Vocabulary;
  readonly layout: ScoreLayout;
  readonly given: Readonly<Record<string, Operand>>;
  /** What a text makes, along the axes of the scores. Throws DoesNotFit where the setup has not what it speaks of. */
  readonly evaluate: (
    row: Pick<Row, 'formula' | 'numbers'>,
    axes?: readonly AxisLetters[],
  ) => Tensor;
}

/** A part of a listed mask that is so many tokens longer; null where it has no length. */
function lengthened(part: MaskPart, by: number): MaskPart | null {
  const longer = (length: number): number => length + by;
  if (part.kind === 'prefix') return { ...part, length: map(part.length, longer) };
  if (part.kind === 'padding' && 'lengths' in part)
    return { ...part, lengths: map(part.lengths, longer) };
  if (part.kind === 'window' && part.left) return { ...part, left: longer(part.left) };
  const isChunk = part.kind === 'chunked' && part.size + by > 0;
  return isChunk ? { ...part, size: longer(part.size) } : null;
}

/** A list of masks without each of its parts, with each longer and shorter by one, with windows in the place of chunks. */
function listsOf(masks: readonly MaskPart[]): Record<string, Partial<HeadConfig>> {
  const lists: Record<string, Partial<HeadConfig>> = {};
  for (const [n, part] of masks.entries()) {
    const put = (name: string, other: MaskPart | null): void => {
      if (other) lists[`${name}_${n}`] = { masks: replacedAt(masks, n, other) };
    };
    lists[`without_${n}`] = { masks: masks.filter((_, at) => at !== n) };
    put('longer', lengthened(part, 1));
    put('shorter', lengthened(part, -1));
    if (part.kind === 'chunked')
      put('windowed', { kind: 'window', left: part.size - 1, right: part.size - 1 });
  }
  return lists;
}

/** The parts of a setup's mask that some name lacks or changes. */
function changesOf({ mask, masks = [] }: HeadConfig): Record<string, Partial<HeadConfig>> {
  const isGiven = typeof mask === 'object' && mask.meaning !== 'add';
  const isInverted = isGiven && mask.meaning === 'attend' ? 'ignore' : 'attend';
  return {
    right: {},
    none: { mask: 'none' },
    open: { window: undefined },
    wide: { mask: 'none', window: undefined },
    bare: { mask: 'none', masks: undefined, window: undefined, alibi: undefined },
    unbiased: { alibi: undefined },
    realigned: { mask: mask === 'causal' ? 'causal-bottom-right' : 'causal' },
    ...(isGiven && { inverted: { mask: { ...mask, meaning: isInverted } } }),
    ...listsOf(masks),
  };
}

/** The number of a head among all; the slopes in another order, or one for all. */
function headTexts({ heads, extents }: ScoreLayout): Readonly<Record<string, string>> {
  const at = (place: (letter: Letter) => string): string =>
    heads.reduce((of, letter) => `at(${letter}, ${place(letter)}, ${of})`, 'slope');
  return {
    head: joined(heads, extents),
    first_slope: at(() => '0'),
    last_slope: at((letter) => String(extents[letter] - 1)),
    reversed_slope: at((letter) => `${extents[letter] - 1} - ${letter}`),
  };
}

/** A tensor that is made where it is looked at: many are thought of. */
export function madeLate(axes: readonly AxisLetters[], make: () => Tensor): Operand {
  let known: Tensor | undefined;
  return {
    axes,
    get tensor() {
      return (known ??= make());
    },
  };
}

/** Tensors of one layout that rows speak of, each made where it is looked at. */
export const tensorsFor = (
  axes: readonly AxisLetters[],
  tensors: Readonly<Record<string, () => Tensor>>,
): Required<Pick<Row, 'terms' | 'given'>> => {
  const all = Object.entries(tensors);
  return {
    terms: Object.fromEntries(all.map(([name]) => [name, symbol(name, axes)])),
    given: Object.fromEntries(all.map(([name, make]) => [name, madeLate(axes, make)])),
  };
};

/** Entries of what masks have in common that are kept for the next. */
const MOST_KEPT = 1e6;

/** The setup's mask, and without some of its parts; where it hides, and what it adds elsewhere. */
function tensorsOf(
  context: Context,
  node: GraphNode,
  layout: ScoreLayout,
): Readonly<Record<string, Operand>> {
  const { config } = context;
  const given: Record<string, Operand> = {};
  const give = (name: string, make: () => Tensor, axes = node.axes): void => {
    given[name] = madeLate(axes, make);
  };
  for (const [name, change] of Object.entries(changesOf(config)))
    give(name, () => maskWith(context, node, change));
  const changes: Readonly<Record<string, (value: number) => number>> = {
    hidden: (value) => Number(value === -Infinity),
    bias: (value) => (value === -Infinity ? 0 : value),
    // Of given masks, -1e9 hides too.
    masked: (value) => Number(value <= FILL),
    rest: (value) => (value <= FILL ? 0 : value),
  };
  for (const [name, change] of Object.entries(changes))
    give(name, () => map(given['right'].tensor, change));
  const { mask, alibi } = config;
  if (typeof mask === 'object' && layout.nulls === 0)
    give('given', () => broadcast('mask', mask.tensor, layout));
  if (alibi !== undefined) {
    const data = typeof alibi === 'object' ? alibi.data : alibiSlopes(config.heads);
    const shape = layout.heads.length > 0 ? [data.length] : [];
    give('slope', () => ({ shape, data }), layout.heads.length > 0 ? [layout.heads] : []);
  }
  return given;
}

export function maskWords(context: Context, node: GraphNode): MaskWords {
  const { config, graph } = context;
  const { extents } = graph;
  const layout = layoutOf(context, node);
  const [n, m, past, offset] = [extents['i'], extents['j'], layout.past, offsetOf(context)];
  const given = tensorsOf(context, node, layout);
  const evaluatorOf = (): Evaluator => new Evaluator((name) => given[name], extents);
  let evaluator = evaluatorOf();
  const numbers: Readonly<Record<string, number | undefined>> = {
    ...{ n, m, past, offset, window: config.window, H: config.heads },
  };
  const terms = new Map<string, Formula | null>();
  const texts = { d: 'offset + j - i', ...(config.alibi !== undefined && headTexts(layout)) };
  const vocabulary: Vocabulary = {
    term(name) {
      const known = terms.get(name);
      if (known !== undefined) return known;
      const own = termOf(name);
      terms.set(name, own);
      return own;
    },
    letters(name) {
      if (name === 'heads') return layout.heads;
      return name.replaceAll('′', '') in extents ? [name] : [];
    },
  };
  function termOf(name: string): Formula | null {
    const value = numbers[name];
    if (value !== undefined) return number(value);
    if (name in texts) return parsed(texts[name as keyof typeof texts], vocabulary);
    if (name in given) return symbol(name, given[name].axes);
    // In letters of its own, each of which may be put anywhere.
    if (name.endsWith('′') && name.slice(0, -1) in given)
      return symbol(
        name.slice(0, -1),
        given[name.slice(0, -1)].axes.map((axis) => axis.map((letter) => `${letter}′`)),
      );
    return null;
  }
  return {
    ...{ vocabulary, layout, given },
    evaluate(row, axes = node.axes) {
      const formula = parsed(row.formula, withNames(vocabulary, row));
      if (!formula) throw new DoesNotFit(`${row.formula} speaks of what there is not`);
      if (evaluator.work > MOST_KEPT) evaluator = evaluatorOf();
      return evaluator.tensor(formula, axes);
    },
  };
}
