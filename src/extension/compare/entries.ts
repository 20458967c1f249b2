// What a comparison's report has to tell in Problems, and of which of the person's tensors. Pure.
import { type Cause, isMisfit, type NodeReport, type Report } from '../../compare/report.ts';
import { tensorName } from '../../engine/graph.ts';

const titleOf = (cause: Cause): string => {
  const name = `${tensorName(cause.node, cause.kind)}: `;
  return cause.title.startsWith(name) ? cause.title : name + cause.title;
};

type Place = Pick<NodeReport, 'node' | 'kind'>;

export interface Entry {
  /** The wrong tensor that was given. */
  readonly node: Place;
  readonly message: string;
  readonly code: string;
  readonly cause: string;
}

const isSame = (a: Place, b: Place): boolean => a.node === b.node && a.kind === b.kind;

/** What is told of a report; nothing where it is about another setup. */
export function entriesOf({ verdict, causes, nodes }: Report): Entry[] {
  if (verdict === 'unaligned') return [];
  const wrong = nodes.filter(({ status }) => status === 'diverges');
  const seenIn = causes.map((cause) => {
    // A mistake at a node that was not given shows in the first wrong one after it.
    const from = nodes.findIndex((each) => isSame(each, cause));
    return wrong.find((each) => nodes.indexOf(each) >= from) ?? cause;
  });
  const explained = causes.map((cause, n): Entry => {
    const node = seenIn[n];
    const where = isSame(node, cause) ? '' : `${tensorName(node.node, node.kind)} is wrong: `;
    return {
      node,
      message: `${where}${titleOf(cause)}. ${cause.why}`,
      code: cause.id,
      cause: String(n),
    };
  });
  const unknown = wrong
    .filter((each) => !seenIn.some((node) => isSame(node, each)))
    .map((each): Entry => {
      const name = tensorName(each.node, each.kind);
      const message = isMisfit(each)
        ? `${name} cannot be compared: ${each.note}.`
        : `${name} is wrong, and no known mistake gives its numbers. ${each.note}`.trim();
      return { node: each, message, code: 'unknown', cause: 'unknown' };
    });
  return [...explained, ...unknown];
}
