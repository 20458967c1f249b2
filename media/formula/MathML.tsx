// Draws a formula's tree as MathML; parts of it can be marked.
import type { JSX } from 'preact';
import { written } from '../names.tsx';
import type { MathNode } from '../../src/engine/mathml.ts';

/** Mathematical italic letters: in MathML a name of several letters is upright unless written with these. */
function italic(text: string): string {
  return text.replace(/[A-Za-z]/g, (letter) => {
    if (letter === 'h') return 'ℎ';
    const code = letter.codePointAt(0) ?? 0;
    return String.fromCodePoint(code >= 97 ? code - 97 + 0x1d44e : code - 65 + 0x1d434);
  });
}

const tensorName = /^d?([A-Zbxyf][a-z]?|x[′″]|[γβλ])$/;
const functionName = /^(exp|log|max|min|sin|cos|abs|sum)$/;
/** Indices of one axis stand together: "rg"; those of a sum are apart: "k i". */
const indexLetters = /^[a-z]( ?[a-z]){1,3}$/;

/** Tensors, their gradients and indices are italic; "exp" and "seen" are words. */
function Identifier({ text }: { readonly text: string }): JSX.Element {
  const plain = written(text);
  if (plain.length === 1) return <mi>{plain}</mi>;
  const isIndex = indexLetters.test(plain) && plain.length !== 4 && !functionName.test(plain);
  if (tensorName.test(plain) || isIndex) return <mi>{italic(plain)}</mi>;
  return <mi class="word">{plain}</mi>;
}

const isTall = ({ tag, children }: MathNode): boolean =>
  tag === 'mfrac' || tag === 'munder' || (children?.some(isTall) ?? false);

/** Brackets grow around fractions and sums, not around an index. */
const isFenced = ({ tag, children }: MathNode): boolean =>
  tag === 'mrow' && children?.[0]?.text === '(' && children[children.length - 1].text === ')';

export interface MarkSets {
  /** Parts that are computed now. */
  readonly marked: ReadonlySet<string>;
  /** Parts of which something is computed now. */
  readonly linked: ReadonlySet<string>;
}

interface TreeProps extends MarkSets {
  readonly node: MathNode;
  readonly stretchy?: boolean;
}

function Tree({ node, marked, linked, stretchy }: TreeProps): JSX.Element {
  const { tag: Tag, text, children, part } = node;
  if (text !== undefined) {
    if (Tag === 'mi') return <Identifier text={text} />;
    // As a string: a boolean false would leave the attribute out.
    const stretch =
      stretchy === undefined ? {} : { stretchy: String(stretchy) as unknown as boolean };
    return Tag === 'mo' ? <mo {...stretch}>{text}</mo> : <Tag>{text}</Tag>;
  }
  const mark =
    part === undefined
      ? undefined
      : marked.has(part)
        ? 'marked'
        : linked.has(part)
          ? 'linked'
          : undefined;
  const grow = isFenced(node) ? isTall(node) : undefined;
  return (
    <Tag class={mark} data-part={part}>
      {children?.map((child, n) => (
        <Tree key={n} node={child} marked={marked} linked={linked} stretchy={grow} />
      ))}
    </Tag>
  );
}

const NONE: MarkSets = { marked: new Set(), linked: new Set() };

const isWhere = ({ tag, text }: MathNode): boolean => tag === 'mtext' && /where/.test(text ?? '');

const row = (...children: readonly MathNode[]): MathNode => ({ tag: 'mrow', children });

const comma: MathNode = { tag: 'mo', text: ',' };

/** A formula and what it defines behind ", where": parts that may stand on lines of their own. */
function pieces(node: MathNode): MathNode[] {
  const { children = [], part } = node;
  const last = children.at(-1);
  if (node.tag !== 'mrow' || !last) return [node];
  const at = children.findIndex(isWhere);
  const found: MathNode[] = [];
  if (at > 0) {
    // Definitions with commas between them, each in a row of its own.
    const all = children.slice(at + 1).filter(({ text }) => text !== ',');
    const ends = all.map((each, n) => (n < all.length - 1 ? [each, comma] : [each]));
    const word: MathNode = { tag: 'mtext', text: 'where\u00a0' };
    found.push(row(...children.slice(0, at), comma), row(word, ...ends[0]));
    found.push(...ends.slice(1).map((each) => row(...each)));
  } else {
    const [first, ...rest] = pieces(last);
    if (rest.length === 0) return [node];
    found.push(row(...children.slice(0, -1), first), ...rest);
  }
  return part === undefined ? found : found.map((piece) => ({ ...row(piece), part }));
}

export function MathML({
  node,
  marks = NONE,
  label,
}: {
  readonly node: MathNode;
  readonly marks?: MarkSets;
  readonly label?: string;
}): JSX.Element {
  const drawn = pieces(node).map((piece, n) => (
    <math key={n} displaystyle={true} aria-label={n === 0 ? label : undefined}>
      <Tree node={piece} {...marks} />
    </math>
  ));
  return drawn.length === 1 ? drawn[0] : <span class="pieces">{drawn}</span>;
}
