// What the tests need of the machine beside npm packages, and how to get it: apt-get where that works.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { findBrowser, findOnPath, findPython } from './find.mjs';

const torchSkipped = process.env.ATTENTION_SKIP_TORCH === '1';

// The libraries Electron loads from a Linux desktop.
const electronLibraries = ['libgtk-3.so.0', 'libgbm.so.1', 'libnss3.so', 'libasound.so.2'];

function electronRuns() {
  const known = spawnSync('/sbin/ldconfig', ['-p'], { encoding: 'utf8' }).stdout ?? '';
  const display = process.env.DISPLAY !== undefined || findOnPath('Xvfb') !== undefined;
  return display && electronLibraries.every((library) => known.includes(library));
}

/**
 * @typedef {{ name: string, present: () => boolean, apt: string[], hint: string }} Need
 * @param {'electron' | 'server'} flavour which VS Code the tests drive
 * @returns {Need[]}
 */
function needs(flavour) {
  const list = [
    {
      name: 'browser',
      present: () => findBrowser() !== undefined,
      apt: ['chromium'],
      hint: 'Google Chrome or Chromium; if it is at an unusual place, set CHROME_PATH to it',
    },
  ];
  if (!torchSkipped) {
    list.push({
      name: 'PyTorch',
      present: () => findPython(['torch', 'numpy']) !== undefined,
      apt: ['python3-torch', 'python3-numpy'],
      hint:
        'a Python with numpy and torch (pip install numpy torch); set ATTENTION_PYTHON to it, ' +
        'or ATTENTION_SKIP_TORCH=1 to go without',
    });
    list.push({
      name: 'debugpy',
      present: () => findPython(['debugpy', 'torch', 'numpy']) !== undefined,
      apt: ['python3-debugpy'],
      hint: 'debugpy beside PyTorch (pip install debugpy); or ATTENTION_SKIP_TORCH=1 to go without',
    });
  }
  if (process.platform === 'linux' && flavour === 'electron') {
    list.push({
      name: 'desktop libraries and Xvfb',
      present: electronRuns,
      apt: ['xvfb', 'xauth', 'libgtk-3-0', 'libgbm1', 'libnss3', 'libasound2'],
      hint: 'Xvfb and the libraries of VS Code; or set ATTENTION_VSCODE=server',
    });
  }
  return list;
}

/** @returns {string[] | undefined} the command that runs apt-get without asking for a password */
function aptGet() {
  if (process.platform !== 'linux' || !findOnPath('apt-get')) return undefined;
  if (process.getuid?.() === 0) return ['apt-get'];
  const sudo = findOnPath('sudo');
  const mayBeRoot = sudo && spawnSync(sudo, ['-n', 'true'], { stdio: 'ignore' }).status === 0;
  return mayBeRoot ? [sudo, '-n', 'apt-get'] : undefined;
}

/**
 * Installs by apt-get what is missing where that is possible.
 * @param {'electron' | 'server'} flavour
 * @returns {string[]} one line for each thing that is still missing
 */
export function ensurePrerequisites(flavour) {
  const missing = needs(flavour).filter((need) => !need.present());
  const apt = aptGet();
  if (missing.length > 0 && apt && existsSync('/etc/debian_version')) {
    const packages = missing.flatMap((need) => need.apt);
    console.log(`Installing by apt-get: ${packages.join(' ')} ...`);
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    const run = (/** @type {string[]} */ ...args) =>
      spawnSync(apt[0], [...apt.slice(1), '-qq', ...args], {
        env,
        stdio: ['ignore', 'ignore', 'inherit'],
      });
    run('update');
    run('install', '-y', '--no-install-recommends', ...packages);
  }
  return missing
    .filter((need) => !need.present())
    .map((need) => `${need.name} is missing. Needed: ${need.hint}`);
}
