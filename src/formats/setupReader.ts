// Small readers of JSON nodes, from which the reader of a setup document is put together.
import type { Node } from 'jsonc-parser';
import { suggest } from './didYouMean.ts';
import { oneLine } from './shown.ts';
import type { ProblemList } from './setupProblems.ts';
import type { Path } from './setupTypes.ts';

/** Gives the value, or undefined after reporting what is wrong with it. */
export type Read<T> = (node: Node, path: Path) => T | undefined;

/** What stands in the document, in words: 'the number 3', 'an array of 2'. */
export function describe(node: Node): string {
  switch (node.type) {
    case 'string':
      return `the string ${oneLine(JSON.stringify(node.value))}`;
    case 'number':
      return `the number ${node.value}`;
    case 'array':
      return node.children?.length ? `an array of ${node.children.length}` : 'an empty array';
    case 'object':
      return 'an object';
    default:
      return String(node.value);
  }
}

export function text(problems: ProblemList): Read<string> {
  return (node, path) => {
    if (node.type === 'string' && node.value !== '') return node.value as string;
    problems.error(
      path,
      `found ${describe(node)}, expected ${node.value === '' ? 'a text' : 'a string'}`,
    );
    return undefined;
  };
}

/** A finite number that passes `test`; `expected` says which numbers do. */
export function number(
  problems: ProblemList,
  expected: string,
  test: (value: number) => boolean = () => true,
): Read<number> {
  return (node, path) => {
    const value: unknown = node.value;
    if (typeof value === 'number' && Number.isFinite(value) && test(value)) return value;
    problems.error(path, `found ${describe(node)}, expected ${expected}`);
    return undefined;
  };
}

export function boolean(problems: ProblemList): Read<boolean> {
  return (node, path) => {
    if (node.type === 'boolean') return node.value as boolean;
    problems.error(path, `found ${describe(node)}, expected true or false`);
    return undefined;
  };
}

export function positiveInteger(problems: ProblemList): Read<number> {
  return number(
    problems,
    'an integer from 1',
    (value) => Number.isSafeInteger(value) && value >= 1,
  );
}

/** One of the given strings. */
export function oneOf<T extends string>(problems: ProblemList, choices: readonly T[]): Read<T> {
  return (node, path) => {
    const found = choices.find((choice) => choice === node.value);
    if (found === undefined) {
      problems.error(path, `found ${describe(node)}, ${suggest(String(node.value), choices)}`);
    }
    return found;
  };
}

/** An object with the given keys, none of them required. Unknown and repeated keys are reported. */
export function object<T extends object>(
  problems: ProblemList,
  fields: { readonly [K in keyof T]-?: Read<T[K]> },
): Read<Partial<T>> {
  return (node, path) => {
    const result: Partial<T> = {};
    const known = Object.keys(fields);
    const complete = eachMember(problems, node, path, (key, value, keyNode) => {
      const at = [...path, key];
      if (!Object.hasOwn(fields, key)) {
        problems.errorAt(keyNode, at, `found an unknown key, ${suggest(key, known)}`);
        return;
      }
      const field = key as keyof T;
      const read = fields[field](value, at);
      if (read !== undefined) result[field] = read;
    });
    return complete ? result : undefined;
  };
}

/** An array, all entries read the same way. */
export function list<T>(problems: ProblemList, read: Read<T>): Read<readonly T[]> {
  return (node, path) => {
    if (node.type !== 'array') {
      problems.error(path, `found ${describe(node)}, expected an array`);
      return undefined;
    }
    return (node.children ?? []).flatMap((child, n) => read(child, [...path, n]) ?? []);
  };
}

/** An object with any keys, all values read the same way. */
export function record<T>(
  problems: ProblemList,
  read: Read<T>,
  checkKey: (key: string) => string | undefined = () => undefined,
): Read<Record<string, T>> {
  return (node, path) => {
    const entries: [string, T][] = [];
    const complete = eachMember(problems, node, path, (key, value, keyNode) => {
      const wrong = checkKey(key);
      if (wrong !== undefined) problems.errorAt(keyNode, [...path, key], wrong);
      const result = read(value, [...path, key]);
      if (result !== undefined) entries.push([key, result]);
    });
    return complete ? Object.fromEntries(entries) : undefined;
  };
}

/** Calls back for every member of an object; false if the node is no object. */
function eachMember(
  problems: ProblemList,
  node: Node,
  path: Path,
  visit: (key: string, value: Node, keyNode: Node) => void,
): boolean {
  if (node.type !== 'object') {
    problems.error(path, `found ${describe(node)}, expected an object`);
    return false;
  }
  const seen = new Set<string>();
  for (const { children = [] } of node.children ?? []) {
    const [keyNode, value] = children;
    const key = keyNode.value as string;
    if (seen.has(key))
      problems.errorAt(keyNode, [...path, key], 'found this key twice, expected it once');
    else visit(key, value, keyNode);
    seen.add(key);
  }
  return true;
}
