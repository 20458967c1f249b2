// npm run typecheck: the four TypeScript projects, all of them even if one fails.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { runTool } from './lib/layers.mjs';
import { root } from './lib/setup.mjs';

const sources = /\.(tsx?|mjs)$/;
const hasSources = (/** @type {string} */ folder) =>
  existsSync(join(root, folder)) &&
  readdirSync(join(root, folder), { recursive: true }).some((file) => sources.test(String(file)));

// tsc takes a project without files for an error.
const projects = ['.', 'media', 'test', 'scripts'].filter((project) => hasSources(project));
const results = projects.map((project) => runTool('tsc', '-p', project));
process.exit(results.every(Boolean) ? 0 : 1);
