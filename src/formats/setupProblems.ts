// Collects what is wrong with a setup document and knows where in the text each entry stands.
import { findNodeAtLocation, type Node } from 'jsonc-parser';
import { oneLine, visible } from './shown.ts';
import type { Path, Problem } from './setupTypes.ts';

export class ProblemList {
  readonly #text: string;
  readonly #root: Node;
  readonly #problems: Problem[] = [];

  constructor(text: string, root: Node) {
    this.#text = text;
    this.#root = root;
  }

  /** In the order of the text. */
  get problems(): Problem[] {
    return [...this.#problems].sort((a, b) => a.offset - b.offset);
  }

  get hasErrors(): boolean {
    return this.#problems.some((problem) => problem.severity === 'error');
  }

  /** Places the problem at `path`, or at its nearest parent in the document. */
  error(path: Path, message: string): void {
    this.#add(path, message, 'error', nearestNode(this.#root, path));
  }

  warning(path: Path, message: string): void {
    this.#add(path, message, 'warning', nearestNode(this.#root, path));
  }

  /** Places the problem at a node of its own: a key, the second of two equal entries. */
  errorAt(node: Node, path: Path, message: string): void {
    this.#add(path, message, 'error', node);
  }

  #add(path: Path, message: string, severity: Problem['severity'], node: Node): void {
    const range = rangeOf(this.#text, node);
    this.#problems.push({ message: inEntry(path, message), path: [...path], severity, ...range });
  }
}

/** "x[2][1]: found …"; just the message for the document as a whole. */
export function inEntry(path: Path, message: string): string {
  const shown = visible(message);
  return path.length === 0 ? shown : `${formatPath(path)}: ${shown}`;
}

/** "weights.W_K", "x[2][1]"; '' for the whole document. */
export function formatPath(path: Path): string {
  return path
    .map((step) => (typeof step === 'number' ? `[${step}]` : `.${oneLine(step)}`))
    .join('')
    .replace(/^\./, '');
}

/** The node at `path`, or its nearest parent in the document. Steps into arrays may be written as text. */
export function nearestNode(root: Node, path: Path): Node {
  let node = root;
  for (const step of path) {
    const index = node.type === 'array' && /^\d+$/.test(String(step)) ? Number(step) : step;
    const child = findNodeAtLocation(node, [index]);
    if (!child) break;
    node = child;
  }
  return node;
}

/**
 * The characters to underline for a node: the key of an object or array that has one, the opening bracket of
 * the document, else the node itself; no further than the end of its first line.
 */
export function rangeOf(text: string, node: Node): { offset: number; length: number } {
  const isContainer = node.type === 'object' || node.type === 'array';
  if (isContainer && !node.parent) return { offset: node.offset, length: 1 };
  const key =
    isContainer && node.parent?.type === 'property' ? node.parent.children?.[0] : undefined;
  const { offset, length } = key ?? node;
  const firstLine =
    /^[^\r\n]*/.exec(text.slice(offset, offset + Math.min(length, 1000)))?.[0] ?? '';
  return { offset, length: Math.max(1, firstLine.length) };
}
