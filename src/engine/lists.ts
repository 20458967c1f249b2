// What arrays lack in Node 18, under which the command line runs.

/** A copy with another element at an index. */
export const replacedAt = <T>(all: readonly T[], at: number, by: T): T[] =>
  all.map((each, n) => (n === at ? by : each));
