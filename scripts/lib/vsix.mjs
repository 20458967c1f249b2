// Where the packaged extension lies.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './setup.mjs';

/** @returns {string} absolute path of the .vsix that `npm test` and `npm run package` make */
export function vsixFile() {
  const { name, version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  return join(root, `${name}-${version}.vsix`);
}
