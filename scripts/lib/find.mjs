// Finds programs of the machine: a browser, a Python with PyTorch, a command on the PATH.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * @param {string} name
 * @returns {string | undefined} the path of the command `name`
 */
export function findOnPath(name) {
  const endings = process.platform === 'win32' ? ['.exe', '.cmd', '.bat'] : [''];
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    for (const ending of endings) {
      const file = join(folder, name + ending);
      if (folder && existsSync(file)) return file;
    }
  }
  return undefined;
}

const usualBrowsers = {
  linux: [
    'chromium',
    'chromium-browser',
    'google-chrome',
    'google-chrome-stable',
    'microsoft-edge',
  ],
  darwin: [
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
    '/Applications/Chromium.app/Contents/MacOS/Chromium',
    '/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge',
  ],
  win32: ['ProgramFiles', 'ProgramFiles(x86)', 'LocalAppData'].flatMap((name) =>
    ['Google\\Chrome\\Application\\chrome.exe', 'Microsoft\\Edge\\Application\\msedge.exe'].map(
      (file) => join(process.env[name] ?? '', file),
    ),
  ),
};

/**
 * @returns {string | undefined} Chrome or Chromium: CHROME_PATH, else where it usually is
 */
export function findBrowser() {
  const given = process.env.CHROME_PATH;
  if (given) return given;
  if (process.platform === 'linux') {
    return usualBrowsers.linux.map(findOnPath).find((file) => file !== undefined);
  }
  const files = process.platform === 'darwin' ? usualBrowsers.darwin : usualBrowsers.win32;
  return files.find((file) => existsSync(file));
}

/** Flags for a browser under test: no sandbox for root, no traffic of the browser's own. */
export const browserFlags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
];

/**
 * @param {string[]} modules
 * @returns {string | undefined} a Python that imports all `modules`: ATTENTION_PYTHON, else the usual ones
 */
export function findPython(modules) {
  const given = process.env.ATTENTION_PYTHON;
  const candidates = given ? [given] : ['/usr/bin/python3', 'python3', 'python'];
  return candidates.find(
    (python) =>
      spawnSync(python, ['-c', `import ${modules.join(', ')}`], { stdio: 'ignore' }).status === 0,
  );
}
