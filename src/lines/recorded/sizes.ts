// What a statement reads of a tensor: its numbers, or no more than its size.

/** What is asked of a tensor without its numbers, and the names that a comprehension runs through. */
const SIZES =
  /\*?[\w.]+(\[[^\]]*\])?\.(shape|size|ndim|dtype|device)\b|\blen\([^()]*\)|_like\([\w.]+|\bfor\b.*$/gs;

/** An expression without what it asks of sizes and types. */
export const withoutSizes = (text: string): string => text.replaceAll(SIZES, '');

const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);

/** Whether an expression has a name. */
export const isIn = (name: string, text: string): boolean =>
  new RegExp(`(?<![\\w.])${escaped(name)}(?![\\w.])`).test(text);
