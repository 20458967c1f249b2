// Medians, spreads, and tables in Markdown.

/** @param {readonly number[]} values */
function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Three digits: "0.412", "41.2", "4120". @param {number} value */
export const digits = (value) =>
  value >= 100 ? value.toFixed(0) : value.toPrecision(3).replace(/e.*/, '');

/** @param {readonly number[]} values */
export const spread = (values) =>
  `${digits(median(values))} (${digits(Math.min(...values))}–${digits(Math.max(...values))})`;

/** Pair by pair, for a machine's speed drifts. @param {readonly number[]} a @param {readonly number[]} b */
export const ratio = (a, b) => median(a.map((value, n) => value / b[n]));

/** @param {readonly string[]} head @param {readonly (readonly string[])[]} rows */
export function markdown(head, rows) {
  const widths = head.map((cell, n) => Math.max(cell.length, ...rows.map((row) => row[n].length)));
  const line = (/** @type {readonly string[]} */ cells) =>
    `| ${cells.map((cell, n) => cell.padEnd(widths[n])).join(' | ')} |`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}
