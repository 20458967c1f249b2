// Opens the inspector page in Chromium, dressed in one of VS Code's themes, its host in a worker.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { bodyClass, bundle, type Theme } from '../page.ts';
import type { Control } from './worker.ts';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export interface InspectorBundle {
  readonly host: string;
  readonly worker: string;
  readonly script: string;
  readonly style: string;
}

export async function bundleInspector(): Promise<InspectorBundle> {
  const [host, worker] = [await bundle(here('host.ts')), await bundle(here('worker.ts'))];
  const page = await bundle(here('../../../media/inspector/main.tsx'));
  return { host: host.js, worker: worker.js, script: page.js, style: page.css };
}

export interface InspectorOpening {
  /** "cross", "heads" (examples); "none"; "formula:4096x4096"; "numbers:[[1, nan]]"; "file:a.npz" with bytes. */
  readonly what: string;
  readonly bytes?: Uint8Array;
  readonly theme?: Theme;
  readonly place?: 'view' | 'editor';
  readonly renderer?: 'canvas' | 'webgl2';
  readonly width?: number;
  readonly height?: number;
  readonly density?: number;
}

export async function openInspector(
  browser: Browser,
  built: InspectorBundle,
  opening: InspectorOpening,
): Promise<Page> {
  const {
    what,
    bytes,
    theme = 'dark-modern',
    place = 'view',
    renderer,
    width = 340,
    height = 900,
    density = 1,
  } = opening;
  const page = await browser.newPage({ viewport: { width, height }, deviceScaleFactor: density });
  page.setDefaultTimeout(60_000);
  const css = readFileSync(here(`../themes/${theme}.css`), 'utf8');
  const address = 'http://inspector.test/';
  const html =
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Tensor Inspector</title>` +
    `<style>${css}</style><style>${built.style}</style></head>` +
    `<body class="${bodyClass[theme]}" data-place="${place}"${renderer ? ` data-renderer="${renderer}"` : ''}>` +
    `<div id="root"></div><script src="host.js"></script><script src="inspector.js"></script></body></html>`;
  const scripts: Record<string, string> = {
    '/host.js': built.host,
    '/inspector.js': built.script,
    '/worker.js': built.worker,
  };
  await page.route(`${address}**`, (route) => {
    const body = scripts[new URL(route.request().url()).pathname];
    return route.fulfill(
      body === undefined
        ? { contentType: 'text/html', body: html }
        : { contentType: 'text/javascript', body },
    );
  });
  page.on('pageerror', (error) => console.error(error));
  await page.goto(address);
  await page.evaluate(
    ([name, list]) => {
      const buffer = list ? Uint8Array.from(list).buffer : undefined;
      window.inspectorHost.control({
        control: 'open',
        what: name,
        ...(buffer && { bytes: buffer }),
      });
    },
    [what, bytes ? [...bytes] : null] as [string, number[] | null],
  );
  await page.locator('.tensor, .nothing, .problems').first().waitFor();
  return page;
}

export const control = (page: Page, message: Control): Promise<void> =>
  page.evaluate((each) => window.inspectorHost.control(each), message);

/** Waits until every tile in sight is drawn. */
export async function drawn(page: Page): Promise<void> {
  await page.locator('.picture .cells[data-complete=true]').waitFor();
}
