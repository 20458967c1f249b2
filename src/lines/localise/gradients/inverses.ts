// Gradients of a softmax's inverted row sums, of programs that compute those.
import type { Observed } from '../../align/observe.ts';
import type { Flow } from '../../recorded/flow.ts';
import type { Recording } from '../../recorded/recording.ts';

const OF_INVERSE = /^(terms of )?d of 1 \/ row sums of exp\(/;
const SUMS = /^row sums of exp\(/;

/**
 * The gradient of the inverses of a softmax's row sums is one of programs that compute those: elsewhere it is what delta
 * becomes where the outputs were not divided.
 */
export function withoutInverses(
  recording: Recording,
  flow: Flow,
  observed: readonly Observed[],
): Observed[] {
  const isInverse = (one: number, other: number): boolean => {
    const [a, b] = [recording.tensor(one)?.data, recording.tensor(other)?.data];
    return (
      a !== undefined &&
      b?.length === a.length &&
      a.every((value, at) => Math.abs(value * b[at] - 1) < NEAR)
    );
  };
  const isComputed = observed.some(
    ({ event: { id }, found }) =>
      found.some(({ entry: { title } }) => SUMS.test(title)) &&
      flow.users[id].some((user) => isInverse(id, user)),
  );
  if (isComputed) return [...observed];
  return observed.map((each) => {
    const found = each.found.filter(({ entry: { title } }) => !OF_INVERSE.test(title));
    if (found.length === each.found.length) return each;
    return { ...each, found, standing: found.length > 0 ? each.standing : 'off' };
  });
}

const NEAR = 1e-3;
