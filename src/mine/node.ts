// Which Node runs a person's module: the one that runs us, or, for TypeScript, one that can strip types.
import { start } from '../process/ownProcess.ts';

interface Node {
  readonly path: string;
  readonly flags: readonly string[];
}

const isTypeScript = (module: string): boolean => /\.[cm]?ts$/i.test(module);

/** The environment for a Node that is not inside of VS Code, though VS Code's own program may be it. */
export function plainEnvironment(): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(
    ([name]) => !/^(VSCODE_|ELECTRON_)|^NODE_OPTIONS$/.test(name),
  );
  return { ...Object.fromEntries(own), ELECTRON_RUN_AS_NODE: '1' };
}

const STRIP = '--experimental-strip-types';
const found = new Map<string, Promise<Node | null>>();

/** null where TypeScript cannot be run: that takes Node 22.6 or newer. */
export function nodeFor(module: string): Promise<Node | null> {
  const own = { path: process.execPath, flags: [] };
  if (!isTypeScript(module)) return Promise.resolve(own);
  const key = process.env.PATH ?? '';
  const search = found.get(key) ?? firstThatStrips([process.execPath, 'node']);
  found.set(key, search);
  return search;
}

async function firstThatStrips(paths: readonly string[]): Promise<Node | null> {
  for (const path of paths) {
    for (const flags of [[], [STRIP]]) if (await strips(path, flags)) return { path, flags };
  }
  return null;
}

async function strips(path: string, flags: readonly string[]): Promise<boolean> {
  const code = 'process.exit(process.features.typescript ? 0 : 1)';
  const args = [...flags, '-e', code];
  const options = { command: path, args, env: plainEnvironment(), timeout: 20_000 };
  return (await start(options).done).code === 0;
}
