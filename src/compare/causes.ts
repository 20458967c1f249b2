// What was found, as the causes of a report.
import type { Cause } from './report.ts';
import type { Found } from './search.ts';

export function causesOf({ edits, residual, runnerUp }: Found): Cause[] {
  return edits.map(({ id, title, node, kind, why, wrong, right, numpy, pytorch, formulas }) => ({
    ...{ id, title, node, kind, why, wrong, right, numpy, pytorch, residual },
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
