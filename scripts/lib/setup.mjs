// Brings a fresh clone to the point where the tools run: npm ci once per lock file, then Node 24.
// Uses Node builtins only, for it runs before anything is installed.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = resolve(fileURLToPath(import.meta.url), '..', '..', '..');
export const windows = process.platform === 'win32';

const stampFile = join(root, 'node_modules', '.installed-stamp');

function stampOfLock() {
  const lock = readFileSync(join(root, 'package-lock.json'));
  return `${createHash('sha256').update(lock).digest('hex')} ${process.platform}-${process.arch}\n`;
}

/** Records that node_modules holds what the lock file says. npm's `prepare` calls it too. */
export function writeStamp() {
  writeFileSync(stampFile, stampOfLock());
}

/** The Node 24 that the package `node` brought, whatever Node started this process. */
export function nodeBinary() {
  const bin = join(root, 'node_modules', 'node', 'bin');
  return [join(bin, 'node.exe'), join(bin, 'node')].find((file) => existsSync(file));
}

/**
 * Runs npm to its end, output inherited.
 * @param {string[]} args
 * @param {string} [cwd]
 * @returns {boolean} whether npm succeeded
 */
export function npm(args, cwd = root) {
  const cli = process.env.npm_execpath;
  const options = { cwd, stdio: /** @type {const} */ ('inherit') };
  // npm on Windows is a .cmd file, which only a shell can start; npm's own path needs none.
  const { status } = cli?.endsWith('npm-cli.js')
    ? spawnSync(process.execPath, [cli, ...args], options)
    : spawnSync(windows ? 'npm.cmd' : 'npm', args, { ...options, shell: windows });
  return status === 0;
}

export function installPackages() {
  const current = existsSync(stampFile) ? readFileSync(stampFile, 'utf8') : '';
  if (current === stampOfLock() && nodeBinary()) return;
  console.log('Installing packages (npm ci) ...');
  if (!npm(['ci', '--no-audit', '--no-fund', '--loglevel=error'])) {
    console.error('npm ci failed; see above.');
    process.exit(1);
  }
  writeStamp();
}

/**
 * Goes on in Node 24: when this process is older, runs `script` again there and exits with its code.
 * @param {string} script absolute path
 */
export async function continueUnderNode24(script) {
  if (Number(process.versions.node.split('.')[0]) >= 24) return;
  const node = nodeBinary();
  if (!node) throw new Error('node_modules/node has no binary: run `npm ci` again');
  const child = spawn(node, [script, ...process.argv.slice(2)], { stdio: 'inherit' });
  // A terminal sends Ctrl+C to both; the child decides when to end.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  const code = await new Promise((done) => {
    child.on('exit', (status, signal) => done(status ?? (signal ? 1 : 0)));
  });
  process.exit(code);
}
