// Which letters of an entry may be merged in one axis of a recorded tensor.

/** Of lengths and of what they are to fill, as text: a catalogue has few shapes and many entries. */
const sequencesOfLengths = new Map<string, readonly (readonly number[])[]>();
const MOST_KEPT = 4096;

export function sequences(
  lengths: readonly number[],
  length: number,
): readonly (readonly number[])[] {
  const key = `${length} ${lengths.join()}`;
  const known = sequencesOfLengths.get(key);
  if (known) return known;
  if (sequencesOfLengths.size >= MOST_KEPT) sequencesOfLengths.clear();
  const made = findSequences(lengths, length);
  sequencesOfLengths.set(key, made);
  return made;
}

/** Sequences of two to four letters whose inner ones fill `length` a whole number of times, but once. */
function findSequences(lengths: readonly number[], length: number): number[][] {
  const found: number[][] = [];
  const extend = (inner: readonly number[], size: number): void => {
    for (let letter = 0; letter < lengths.length; letter++) {
      if (inner.includes(letter) || lengths[letter] === 1) continue;
      if (inner.length > 0 && length / size <= lengths[letter] && length > size)
        found.push([letter, ...inner]);
      const next = size * lengths[letter];
      if (inner.length < 3 && next < length && length % next === 0)
        extend([letter, ...inner], next);
    }
  };
  extend([], 1);
  return found;
}
