// Outputs and gradients that a run which looks right was to compute, and that nothing of it is: it is not called right then.
import { sizeOf } from '../../engine/tensor.ts';
import { nodeOf } from '../../engine/graph.ts';
import { type Key, keyOf } from '../../compare/program/program.ts';
import { nodeNamed, type Observed } from '../align/observe.ts';
import type { Catalogue } from '../align/catalogue.ts';
import { askedFor, goalsOf, isNothing } from '../localise/goals.ts';
import type { Localised } from '../localise/localise.ts';
import { cone, handedOn } from '../recorded/flow.ts';
import type { Recording } from '../recorded/recording.ts';

/** The last that is named like a goal, or is computed from right gradients and used no more, of goals that nothing is. */
export function unseenGoals(
  recording: Recording,
  catalogue: Catalogue,
  { observed, covered, flow }: Localised,
): string[] {
  const { graph } = catalogue;
  const missing = askedFor(goalsOf(graph), observed).filter(
    (goal) => !covered.has(goal) && !isNothing(catalogue, goal),
  );
  if (missing.length === 0) return [];
  const right = observed.flatMap(({ event: { id }, standing, found }) =>
    standing === 'right' && found.some(({ entry: { key } }) => /^(g:|v:[PO])/.test(key))
      ? [id]
      : [],
  );
  const after = cone(flow, right);
  const isEnd = (id: number): boolean =>
    flow.users[id].every(
      (user) => handedOn(recording, recording.events[user]) !== null && isEnd(user),
    );
  const isNamed = ({ event }: Observed, goal: Key): boolean => {
    const name = event.how === 'argument' ? null : nodeNamed(event);
    return name !== null && keyOf(name.node, name.kind) === goal && event.of === undefined;
  };
  // What is computed aside of the inputs is of any size.
  const isLeft = ({ event: { id }, standing, found }: Observed, goal: Key): boolean =>
    !goal.startsWith('g:x') &&
    standing === 'off' &&
    found.length === 0 &&
    after.has(id) &&
    isEnd(id);
  return missing.flatMap((goal) => {
    const size = sizeOf(nodeOf(graph, goal.slice(2)).shape);
    const last = observed.findLast(
      (each) =>
        sizeOf(each.event.shape) === size &&
        size > 1 &&
        (isNamed(each, goal) || isLeft(each, goal)),
    );
    if (!last) return [];
    const { statement, name } = last.event;
    const { file, line } = recording.statements[statement];
    const node = `${goal.startsWith('g:') ? 'd' : ''}${goal.slice(2)}`;
    return [`${node} (${name}, ${recording.files[file].path}:${line})`];
  });
}
