// A whole VS Code without a download: code-server's from the npm registry. npm start and the tests use it.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { nodeBinary, npm, root } from './setup.mjs';

const version = '4.139.1';
const home = join(root, '.vscode-test', `code-server-${version}`);
const vscode = join(home, 'node_modules', 'code-server', 'lib', 'vscode');
const stampFile = join(home, '.installed-stamp');
const stamp = `${version} ${process.platform}-${process.arch}\n`;

/** Installs code-server into .vscode-test/ unless it is there. About 20 s the first time. */
export function installServer() {
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return;
  console.log(`Installing VS Code (code-server ${version}) into .vscode-test/ ...`);
  rmSync(home, { recursive: true, force: true });
  mkdirSync(home, { recursive: true });
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  // Its postinstall builds native modules, which fails; what they add (logs, watching) is not needed.
  const done =
    npm(['install', ...flags, '--prefix', home, `code-server@${version}`], home) &&
    npm(['install', '--omit=dev', ...flags], vscode) &&
    npm(['install', '--omit=dev', ...flags], join(vscode, 'extensions'));
  if (!done) throw new Error('code-server could not be installed from npm; see above');
  writeFileSync(stampFile, stamp);
}

/** Settings that keep the workbench quiet: no trust question, no welcome page, no chat. */
const quietSettings = {
  'security.workspace.trust.enabled': false,
  'workbench.startupEditor': 'none',
  'workbench.tips.enabled': false,
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'chat.disableAIFeatures': true,
  'telemetry.telemetryLevel': 'off',
  'update.mode': 'none',
  'extensions.autoCheckUpdates': false,
  'git.openRepositoryInParentFolders': 'never',
};

/**
 * Writes the user settings of a data folder, so that they hold from the first second.
 * @param {string} dataFolder
 * @param {Record<string, unknown>} [settings]
 */
export function writeSettings(dataFolder, settings = {}) {
  // Settings of the machine, such as an interpreter, a server takes from its own file only.
  for (const [name, all] of Object.entries({
    User: { ...quietSettings, ...settings },
    Machine: settings,
  })) {
    const folder = join(dataFolder, name);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'settings.json'), JSON.stringify(all, null, 2));
  }
}

/** @param {string} dataFolder everything the server writes goes in here */
function dataFlags(dataFolder) {
  return [
    ...['--user-data-dir', dataFolder],
    ...['--extensions-dir', join(dataFolder, 'extensions')],
    ...['--server-data-dir', join(dataFolder, 'server')],
    ...['--telemetry-level', 'off', '--accept-server-license-terms'],
  ];
}

/**
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} env
 */
function spawnServer(args, env) {
  const node = nodeBinary() ?? process.execPath;
  // Variables of a VS Code around us would make this one believe it is that one.
  const clean = Object.entries(env).filter(([name]) => !/^(VSCODE_|ELECTRON_)/.test(name));
  return spawn(node, [join('out', 'server-main.js'), ...args], {
    cwd: vscode,
    env: Object.fromEntries(clean),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/**
 * Installs a .vsix the way a user does.
 * @param {string} vsix
 * @param {string} dataFolder
 */
export async function installVsix(vsix, dataFolder) {
  const child = spawnServer(['--install-extension', vsix, ...dataFlags(dataFolder)], process.env);
  let output = '';
  child.stdout.on('data', (data) => (output += data));
  child.stderr.on('data', (data) => (output += data));
  const code = await new Promise((resolve) => child.on('close', resolve));
  if (code !== 0) throw new Error(`${vsix} could not be installed:\n${output}`);
}

/** @param {string} path an absolute path, as the workbench in the browser names a file of the server */
function remoteUri(path) {
  return `vscode-remote://remote${pathToFileURL(path).pathname}`;
}

/**
 * @typedef {{
 *   folder: string,
 *   extensionDevelopmentPath?: readonly string[],
 *   extensionTestsPath?: string,
 * }} Opening
 * @typedef {{
 *   port: number,
 *   address: (opening: Opening) => string,
 *   log: () => string,
 *   exited: Promise<void>,
 *   stop: () => Promise<void>,
 * }} Server
 */

/**
 * Starts the server and waits until it listens.
 * @param {{ dataFolder: string, port?: number, env?: NodeJS.ProcessEnv }} options
 *   port 0, the default, is any free one
 * @returns {Promise<Server>}
 */
export async function startServer({ dataFolder, port = 0, env = {} }) {
  const child = spawnServer(
    [
      ...['--host', '127.0.0.1', '--port', String(port), '--without-connection-token'],
      // Without this flag the development path and the tests path are ignored, silently.
      '--enable-smoke-test-driver',
      ...dataFlags(dataFolder),
    ],
    { ...process.env, ...env },
  );
  // Should this process end without stop(), the server must not outlive it.
  const kill = () => child.kill('SIGKILL');
  process.on('exit', kill);
  child.on('exit', () => process.off('exit', kill));
  /** @type {string[]} */
  const lines = [];
  /** @type {Promise<void>} */
  const exited = new Promise((resolve) => {
    child.on('exit', () => resolve());
  });
  const listening = new Promise((resolve, reject) => {
    const fail = (/** @type {string} */ why) => {
      reject(new Error(`VS Code server ${why}:\n${lines.slice(-30).join('\n')}`));
    };
    const timer = setTimeout(() => fail('did not listen within 60 s'), 60_000);
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        lines.push(line);
        const match = /Extension host agent listening on (\d+)/.exec(line);
        if (!match) return;
        clearTimeout(timer);
        resolve(Number(match[1]));
      });
    }
    void exited.then(() => {
      clearTimeout(timer);
      fail('ended early');
    });
  });
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), 5000);
    await exited;
    clearTimeout(timer);
  };
  let boundPort;
  try {
    boundPort = await listening;
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    port: boundPort,
    address: ({ folder, extensionDevelopmentPath = [], extensionTestsPath }) => {
      const payload = extensionDevelopmentPath.map((path) => [
        'extensionDevelopmentPath',
        remoteUri(path),
      ]);
      if (extensionTestsPath) payload.push(['extensionTestsPath', remoteUri(extensionTestsPath)]);
      const query = new URLSearchParams({
        folder: pathToFileURL(folder).pathname,
        payload: JSON.stringify(payload),
      });
      return `http://127.0.0.1:${boundPort}/?${query.toString()}`;
    },
    log: () => lines.join('\n'),
    exited,
    stop,
  };
}
