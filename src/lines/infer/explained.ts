// How much of a program a setup explains: of several that may be meant, the one under which most is right.
import type { Graph } from '../../engine/graph.ts';
import type { Localised } from '../localise/localise.ts';
import type { Observed } from '../align/observe.ts';

/** Of what each statement bound to a name, the share that is right. */
interface Share {
  right: number;
  all: number;
}

const isTelling = ({ event, standing, isMask }: Observed): boolean =>
  event.shape.length > 0 &&
  !isMask &&
  (standing === 'right' || standing === 'partial' || standing === 'off');

/** Shares of what was computed before an event, by statement and name: iterations of loops and calls are one. */
function sharesBefore({ observed }: Localised, before: number, graph: Graph): Share[] {
  const inputs = new Set(
    graph.nodes.flatMap(({ id, kind }) => (kind === 'input' ? [`v:${id}`] : [])),
  );
  const isInput = ({ found: [best] }: Observed): boolean =>
    best?.entry.role === 'node' && inputs.has(best.entry.key);
  const shares = new Map<string, Share>();
  for (const each of observed) {
    const { event, standing } = each;
    if (event.id >= before || !isTelling(each) || isInput(each)) continue;
    const key = `${event.statement} ${event.how} ${event.name.replaceAll(/\[\d+\]/g, '')}`;
    const own = shares.get(key) ?? { right: 0, all: 0 };
    own.all++;
    if (standing !== 'off') own.right++;
    shares.set(key, own);
  }
  return [...shares.values()];
}

const total = (shares: readonly Share[]): number =>
  shares.reduce((sum, { right, all }) => sum + right / all, 0);

/** How many of a program's own tensors are right under a setup; pieces of loops count as parts of one. */
export const explained = (localised: Localised, graph: Graph): number =>
  total(sharesBefore(localised, Infinity, graph));

/** Which share of what a program computes before its first mistake is right: of a setup that is meant nearly all. */
export function shareBefore(localised: Localised, graph: Graph): number {
  const [first] = localised.wrong;
  const before = first ? Math.min(first.event, first.seen) : Infinity;
  const shares = sharesBefore(localised, before, graph);
  return shares.length === 0 ? 0 : total(shares) / shares.length;
}
