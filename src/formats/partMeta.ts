// What attention_trace.py says of a rank's part in __meta__.json: which rank of how many, which heads or tokens.
import { strFromU8 } from 'fflate';
import type { Tensor } from '../engine/tensor.ts';
import { FormatError } from './formatError.ts';
import { oneLine } from './shown.ts';
import type { NamedTensor } from './namedTensor.ts';
import { META } from './npz.ts';
import type { LeftOut } from './parts.ts';
import type { OpenedFile } from './readTensors.ts';
import type { Want } from './want.ts';

export const SPAN_KEYS = ['heads', 'kvHeads', 'queries', 'keys'] as const;
export type SpanKey = (typeof SPAN_KEYS)[number];
/** [from, to) */
type Span = readonly [number, number];

interface PartMeta {
  readonly rank: number;
  /** Number of ranks. */
  readonly world: number;
  readonly spans: Readonly<Partial<Record<SpanKey, Span>>>;
}

/** The file of one rank. */
export interface Part extends PartMeta {
  readonly file: string;
  readonly tensors: readonly NamedTensor[];
  /** What is not wanted. */
  readonly leftOut: readonly LeftOut[];
}

/** One rank's tensor of a name. */
export interface Piece {
  readonly part: Part;
  readonly tensor: Tensor;
}

const MOST_RANKS = 2 ** 12;
const EXPECTED = 'rank, world and part as attention_trace.py writes them';

/** null for a file that no rank of several wrote. Throws FormatError. */
export async function readPart(opened: OpenedFile, file: string, want: Want): Promise<Part | null> {
  const meta = await partOf(opened, file);
  return meta && { file, ...meta, ...(await opened.read(want, true)) };
}

/** Which part a file is, nothing of its tensors read; null for one that no rank of several wrote. Throws FormatError. */
export async function partOf({ meta }: OpenedFile, file: string): Promise<PartMeta | null> {
  if (!meta) return null;
  const found = readMeta(await meta(), file);
  return found.world === 1 ? null : found;
}

/** How many heads, queries or keys the ranks have together. */
export const totalOf = (parts: readonly Part[], key: SpanKey): number =>
  Math.max(...parts.map(({ spans }) => spans[key]?.[1] ?? 0));

const PART_NAME = /^(.*)\.rank\d+\.npz$/s;

/** "mine.npz" for "mine.rank3.npz"; null for a name that is no part's. */
export function wholeName(file: string): string | null {
  const stem = PART_NAME.exec(file)?.[1];
  return stem === undefined ? null : `${stem}.npz`;
}

/** "mine.rank3.npz" for "mine.npz". */
export const partName = (whole: string, rank: number | '*'): string =>
  `${whole.replace(/\.npz$/, '')}.rank${rank}.npz`;

function readMeta(bytes: Uint8Array, file: string): PartMeta {
  const fail = (found: string): never => {
    throw new FormatError(file, META, found, EXPECTED);
  };
  let meta: unknown;
  try {
    meta = JSON.parse(strFromU8(bytes));
  } catch {
    return fail('a text that is not JSON');
  }
  const { rank, world, part = {} } = (meta ?? {}) as Record<string, unknown>;
  if (!isCount(rank) || !isCount(world) || rank >= world || world > MOST_RANKS)
    return fail(`rank ${oneLine(String(rank))} of ${oneLine(String(world))}`);
  const given = Object.entries((part ?? {}) as Record<string, unknown>);
  const spans = new Map<string, Span>();
  for (const [key, span] of given) {
    const isKnown = key === 'tokens' || SPAN_KEYS.some((each) => each === key);
    if (!isKnown || !isSpan(span)) fail(`${key} with ${oneLine(JSON.stringify(span))}`);
    spans.set(key, span as Span);
  }
  const tokens = spans.get('tokens');
  const heads = spans.get('heads');
  const all = {
    ...(heads && { heads, kvHeads: heads }),
    ...(tokens && { queries: tokens, keys: tokens }),
    ...Object.fromEntries([...spans].filter(([key]) => key !== 'tokens')),
  };
  return { rank, world, spans: all };
}

const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && Number(value) >= 0;

const isSpan = (value: unknown): boolean =>
  Array.isArray(value) && value.length === 2 && value.every(isCount) && value[0] < value[1];
