// The nearest known word to a misspelt one, for messages.

/** The choice that `word` most likely stands for, or undefined if none is near. */
function nearest(word: string, choices: readonly string[]): string | undefined {
  const plain = simplify(word);
  const same = choices.find((choice) => simplify(choice) === plain);
  if (same !== undefined || plain.length < 2 || plain.length > 40) return same;
  const limit = Math.max(1, Math.floor(plain.length / 3));
  let best: string | undefined;
  let least = limit + 1;
  for (const choice of choices) {
    const edits = distance(plain, simplify(choice));
    if (edits < least) [best, least] = [choice, edits];
  }
  return best;
}

const QUESTION = 'did you mean';

/** "did you mean "x"?" or the list of all choices. */
export function suggest(word: string, choices: readonly string[]): string {
  const near = nearest(word, choices);
  return near === undefined ? `expected ${anyOf(choices)}` : `${QUESTION} "${near}"?`;
}

/** Whether a message says what was meant: of several it is the one to begin with. */
export const isSuggestion = (message: string): boolean => message.includes(QUESTION);

/** one of "a", "b" — shortened if there are many. */
export function anyOf(choices: readonly string[], most = 48): string {
  const shown = choices.slice(0, most).map((choice) => `"${choice}"`);
  if (choices.length > most) shown.push(`… (${choices.length} in all)`);
  return `${choices.length > 1 ? 'one of ' : ''}${shown.join(', ')}`;
}

function simplify(word: string): string {
  return word.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
}

/** Levenshtein's edit distance, with a swap of two neighbours as one edit. */
function distance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = last[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      let edits = Math.min(replace, last[j] + 1, row[j - 1] + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        edits = Math.min(edits, beforeLast[j - 2] + 1);
      }
      row.push(edits);
    }
    [beforeLast, last] = [last, row];
  }
  return last[b.length];
}
