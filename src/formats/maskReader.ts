// Reads a mask that is put together from several, each with its meaning.
import { findNodeAtLocation, type Node } from 'jsonc-parser';
import { suggest } from './didYouMean.ts';
import type { ReadTensor } from './parseTensor.ts';
import type { ProblemList } from './setupProblems.ts';
import * as read from './setupReader.ts';
import type { MaskPartSource, Path, TensorSource } from './setupTypes.ts';

type PartObject = Exclude<MaskPartSource, string>;
type Kind = PartObject['kind'];

const NAMES = ['causal', 'causal-bottom-right'] as const;

/** Of each kind its fields: all of `needs`, or one of `oneOf`, or at least one of `some`. */
const FIELDS: Readonly<
  Record<
    Kind,
    { readonly needs?: readonly string[]; readonly oneOf?: string[]; readonly some?: string[] }
  >
> = {
  given: { needs: ['tensor'] },
  padding: { oneOf: ['lengths', 'keep'] },
  window: { some: ['left', 'right'] },
  prefix: { needs: ['length'] },
  chunked: { needs: ['size'] },
  documents: { needs: ['ids'] },
};

/** Whether an array is a list of masks: a tensor has at least two axes here, a list no array in it. */
export const isMaskList = (node: Node): boolean =>
  node.type === 'array' && /^(string|object)$/.test(node.children?.[0]?.type ?? '');

export function maskList(
  problems: ProblemList,
  tensor: ReadTensor,
): read.Read<readonly MaskPartSource[]> {
  const part = maskPart(problems, tensor);
  const named = (node: Node, path: Path) =>
    node.type === 'string' ? read.oneOf(problems, NAMES)(node, path) : part(node, path);
  return (node, path) => {
    const parts = read.list<MaskPartSource>(problems, named)(node, path);
    const causal = (node.children ?? []).flatMap(({ value }, n) =>
      NAMES.some((name) => name === value) ? [n] : [],
    );
    if (causal.length > 1)
      problems.error([...path, causal[1]], 'found a second causal mask, expected one');
    (node.children ?? []).forEach((child, n) => {
      if (causal.length === 0 && findNodeAtLocation(child, ['kind'])?.value === 'prefix')
        problems.warning([...path, n], 'is not used: a prefix is seen in spite of a causal mask');
    });
    return parts;
  };
}

function maskPart(problems: ProblemList, tensor: ReadTensor): read.Read<PartObject> {
  const count = read.number(
    problems,
    'an integer from 0',
    (value) => Number.isSafeInteger(value) && value >= 0,
  );
  const readers: Readonly<Record<string, read.Read<unknown>>> = {
    kind: read.oneOf(problems, Object.keys(FIELDS)),
    meaning: read.oneOf(problems, ['attend', 'ignore', 'add']),
    size: read.positiveInteger(problems),
    left: count,
    right: count,
    length: (node, path) =>
      node.type === 'number' ? count(node, path) : tensor(node, path, 'an integer from 0'),
  };
  const OPTIONAL: Readonly<Partial<Record<Kind, string[]>>> = {
    given: ['meaning'],
    documents: ['queryIds'],
  };
  return (node, path) => {
    const kind = node.type === 'object' ? findNodeAtLocation(node, ['kind']) : undefined;
    const known = Object.keys(FIELDS).find((each) => each === kind?.value) as Kind | undefined;
    if (!known) {
      const hint = suggest(String(kind?.value ?? ''), Object.keys(FIELDS));
      const found = kind ? read.describe(kind) : `${read.describe(node)} without a "kind"`;
      problems.error(kind ? [...path, 'kind'] : path, `found ${found}, ${hint}`);
      return undefined;
    }
    const { needs = [], oneOf = [], some = [] } = FIELDS[known];
    const keys = ['kind', ...needs, ...oneOf, ...some, ...(OPTIONAL[known] ?? [])];
    const fields = Object.fromEntries(keys.map((key) => [key, readers[key] ?? tensor]));
    const result = read.object<Record<string, unknown>>(problems, fields)(node, path);
    const given = (names: readonly string[]): string[] =>
      names.filter((name) => findNodeAtLocation(node, [name]));
    const missing = needs.filter((name) => !given([name]).length);
    for (const name of missing) problems.error(path, `found no "${name}", expected it`);
    if (oneOf.length > 0 && given(oneOf).length !== 1) {
      const found = given(oneOf).length === 0 ? 'neither' : 'both';
      problems.error(path, `found ${found}, expected one of ${oneOf.join(' and ')}`);
    }
    if (some.length > 0 && given(some).length === 0)
      problems.error(path, `found neither, expected ${some.join(' or ')}`);
    return result as unknown as PartObject | undefined;
  };
}

/** The tensors of a part by their field. */
export function tensorsOf(part: PartObject): Record<string, TensorSource> {
  return Object.fromEntries(
    Object.entries(part).filter(
      (entry): entry is [string, TensorSource] => typeof entry[1] === 'object',
    ),
  );
}
