// Numbers that other implementations computed, kept outside of the project: ATTENTION_VECTORS names their folder.
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = resolve(root, process.env.ATTENTION_VECTORS ?? '../shared/vectors');

/** Why tests that need a file of the folder are skipped, or null where it is there. */
export function missingVectors(file: string): string | null {
  return existsSync(join(folder, file))
    ? null
    : `skipped, there is no ${file} in ${folder} (ATTENTION_VECTORS names another folder)`;
}

export function readVectors(file: string): unknown {
  return JSON.parse(readFileSync(join(folder, file), 'utf8'));
}
