// npm start: sets up, builds, and opens a VS Code that runs this extension on the examples.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findOnPath } from './lib/find.mjs';
import { continueUnderNode24, installPackages, nodeBinary, root, windows } from './lib/setup.mjs';
import { installServer, startServer, writeSettings } from './lib/vscode-server.mjs';

installPackages();
await continueUnderNode24(fileURLToPath(import.meta.url));

const examples = join(root, 'examples');
const folder = existsSync(examples) ? examples : root;

/**
 * @param {string} command
 * @param {string[]} args
 * @param {boolean} [shell]
 * @returns {Promise<boolean>} whether it succeeded
 */
function run(command, args, shell = false) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio: 'inherit', shell });
    child.on('error', () => resolve(false));
    child.on('exit', (code) => resolve(code === 0));
  });
}

if (!(await run(nodeBinary() ?? process.execPath, ['esbuild.mjs']))) process.exit(1);

// --browser: the VS Code in the browser even though a desktop one is installed.
const code = process.argv.includes('--browser') ? undefined : findOnPath('code');
if (code) {
  const args = ['--new-window', `--extensionDevelopmentPath=${root}`, folder];
  const quoted = windows ? args.map((arg) => `"${arg}"`) : args;
  if (await run(windows ? `"${code}"` : code, quoted, windows)) {
    console.log('Opened VS Code with the extension on the examples.');
    process.exit(0);
  }
  console.log('`code` could not open a window; going on in the browser.');
}

installServer();
// Kept between starts, so that open editors and layout come back.
const dataFolder = join(root, '.vscode-test', 'start');
writeSettings(dataFolder);
let server;
try {
  server = await startServer({ dataFolder, port: Number(process.env.ATTENTION_PORT ?? 0) });
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
let stopping = false;
const stop = async () => {
  stopping = true;
  await server.stop();
  process.exit(0);
};
process.on('SIGINT', stop);
process.on('SIGTERM', stop);
const address = server.address({ folder, extensionDevelopmentPath: [root] });
console.log(`Open in a browser (Ctrl+C ends it): ${address}`);
await server.exited;
if (!stopping) {
  console.error(`The VS Code server ended by itself:\n${server.log().slice(-4000)}`);
  process.exit(1);
}
