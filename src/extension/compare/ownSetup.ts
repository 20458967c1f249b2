// Which setup a trace is of, by their names. Pure.

/** Index of the name that a trace's begins with, the longest; null for none: mine.rank0.npz is one of mine. */
export function ownSetup(trace: string, setups: readonly string[]): number | null {
  const own = setups.filter((name) => trace.startsWith(`${name}.`));
  const [longest] = own.sort((a, b) => b.length - a.length);
  return longest === undefined ? null : setups.indexOf(longest);
}
