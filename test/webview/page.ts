// Opens the panel in Chromium: bundles it with the fake host and dresses it in one of VS Code's themes.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as esbuild from 'esbuild';
import { type Browser, chromium, type Page } from 'playwright-core';
import { browserFlags, findBrowser } from '../../scripts/lib/find.mjs';

export const themes = ['light-modern', 'dark-modern', 'hc-dark', 'hc-light'] as const;
export type Theme = (typeof themes)[number];

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export interface Bundle {
  readonly host: string;
  readonly script: string;
  readonly style: string;
}

/** A bundle as esbuild.mjs makes them for the webviews, unminified. */
export async function bundle(entry: string): Promise<{ js: string; css: string }> {
  const { outputFiles } = await esbuild.build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    outdir: 'out',
    platform: 'browser',
    format: 'iife',
    target: 'es2022',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    loader: { '.woff2': 'dataurl' },
    mainFields: ['module', 'main'],
    logLevel: 'error',
  });
  const text = (end: string): string =>
    outputFiles.find(({ path }) => path.endsWith(end))?.text ?? '';
  return { js: text('.js'), css: text('.css') };
}

/** The panel's webview and the fake host. */
export async function bundlePanel(): Promise<Bundle> {
  const [host, panel] = [
    await bundle(here('fakeHost.ts')),
    await bundle(here('../../media/main.tsx')),
  ];
  return { host: host.js, script: panel.js, style: panel.css };
}

export function launch(): Promise<Browser> {
  return chromium.launch({
    executablePath: findBrowser(),
    args: browserFlags,
  });
}

export interface Opening {
  readonly example?: string;
  readonly theme?: Theme;
  readonly width?: number;
  readonly height?: number;
  /** Device pixels per CSS pixel. */
  readonly density?: number;
}

/** The classes that VS Code gives the body of a webview. */
export const bodyClass: Readonly<Record<Theme, string>> = {
  'light-modern': 'vscode-light',
  'dark-modern': 'vscode-dark',
  'hc-dark': 'vscode-high-contrast',
  'hc-light': 'vscode-high-contrast vscode-high-contrast-light',
};

/** Opens the panel on an example and waits until it is drawn. */
export async function openPanel(
  browser: Browser,
  { host, script, style }: Bundle,
  {
    example = 'cross',
    theme = 'dark-modern',
    width = 1400,
    height = 900,
    density = 1,
  }: Opening = {},
): Promise<Page> {
  const page = await browser.newPage({ viewport: { width, height }, deviceScaleFactor: density });
  page.setDefaultTimeout(60_000);
  const css = readFileSync(here(`themes/${theme}.css`), 'utf8');
  // A scheme of its own would lack localStorage and the like; plain http makes Chromium try https first.
  const address = 'https://panel.test/';
  const html =
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Attention</title>` +
    `<style>${css}</style><style>${style}</style></head>` +
    `<body class="${bodyClass[theme]}"><div id="root"></div>` +
    `<script src="host.js"></script><script src="webview.js"></script></body></html>`;
  await page.route(`${address}**`, (route) => {
    const { pathname } = new URL(route.request().url());
    const body = { '/host.js': host, '/webview.js': script }[pathname];
    return route.fulfill(
      body === undefined
        ? { contentType: 'text/html', body: html }
        : { contentType: 'text/javascript', body },
    );
  });
  await page.goto(`${address}#example=${example}`);
  await page.locator('.page, .empty').first().waitFor();
  await settled(page);
  return page;
}

/** Waits until nothing moves any more: what depends on the room there is, is laid out anew frames later. */
export async function settled(page: Page): Promise<void> {
  await page.evaluate(async () => {
    const frame = (): Promise<unknown> => new Promise(requestAnimationFrame);
    const look = (): string =>
      [...document.querySelectorAll('#root *')]
        .map((each) => {
          const { left, top, width, height } = each.getBoundingClientRect();
          return [left, top, width, height, each.scrollTop].join(' ');
        })
        .join('\n');
    for (let before = '', same = 0; same < 2;) {
      await frame();
      const now = look();
      same = now === before ? same + 1 : 0;
      before = now;
    }
  });
}

/** Presses a key and waits until the answer is on the screen. */
export async function step(page: Page, key: string): Promise<void> {
  await answered(page, () => page.keyboard.press(key));
}

/** Does something that asks the host, and waits until the answer is on the screen. */
export async function answered(page: Page, action: () => Promise<unknown>): Promise<void> {
  const count = (): Promise<number> =>
    page.evaluate(() =>
      Math.max(0, ...window.fakeHost.received.map((each) => ('id' in each ? each.id : 0))),
    );
  const before = await count();
  await action();
  await page.waitForFunction(
    (earlier) => {
      const ids = window.fakeHost.received.map((each) => ('id' in each ? each.id : 0));
      const last = Math.max(0, ...ids);
      return last > earlier && document.body.dataset['paintedId'] === String(last);
    },
    before,
    { polling: 'raf' },
  );
}
