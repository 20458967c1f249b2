// What was found, as the causes of a report.
import type { Cause } from '../report.ts';
import type { Found } from './search.ts';

/** `isLater`: another mistake is told before it, whose repair it takes for granted. */
export function causesOf(
  { edits, residual, runnerUp, others }: Pick<Found, 'edits' | 'residual' | 'runnerUp' | 'others'>,
  isLater = false,
): Cause[] {
  const after = isLater ? 'After repairing the above: ' : '';
  const told = others
    .map(({ edits: [{ title }] }) => title)
    .filter((title) => !edits.some((edit) => edit.title === title || edit.why.includes(title)));
  const too = told.length > 0 ? ` The same numbers would come of: ${told.join('; or ')}.` : '';
  return edits.map(({ id, title, node, kind, why, wrong, right, numpy, pytorch, formulas }, n) => ({
    ...{ id, title, node, kind, wrong, right, numpy, pytorch, residual },
    why: after + (n === 0 ? why + too : why),
    ...(formulas && { formulas }),
    fix: `NumPy: ${numpy}\nPyTorch: ${pytorch}`,
    runnerUp: runnerUp && {
      title: runnerUp.edits.map((edit) => edit.title).join('; '),
      residual: runnerUp.residual,
    },
  }));
}

/** One mistake made in two places (tiled heads in S and in O) is told once for each node, not twice for one. */
export function withoutRepeats(causes: readonly Cause[]): Cause[] {
  return causes.filter(
    ({ id, node, kind }, n) =>
      causes.findIndex((each) => each.id === id && each.node === node && each.kind === kind) === n,
  );
}
