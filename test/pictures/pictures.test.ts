// Takes the README's pictures anew. With PICTURES, a regular expression, those of the scenes in three themes and three
// widths whose names match, into .vscode-test/pictures, to be looked at: PICTURES=. npm run pictures.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'vitest';
import { root } from '../../scripts/lib/setup.mjs';
import { workbenchPerTest } from '../vscode/harness/suite.ts';
import { hideSideBar, SCENES } from './scenes.ts';

interface Picture {
  readonly scene: keyof typeof SCENES;
  readonly theme: keyof typeof THEMES;
  readonly layout: keyof typeof LAYOUTS;
  readonly file: string;
}

const THEMES = {
  light: 'Default Light Modern',
  dark: 'Default Dark Modern',
  contrast: 'Default High Contrast',
};

const LAYOUTS = {
  /** The panel alone. */
  wide: { width: 1400, height: 900 },
  /** Beside the text, as it opens. */
  split: { width: 1400, height: 900 },
  narrow: { width: 1050, height: 800 },
};

const README: readonly Picture[] = [
  { scene: 'terms', theme: 'dark', layout: 'wide', file: 'docs/panel-dark.png' },
  { scene: 'compared', theme: 'light', layout: 'wide', file: 'docs/compare-light.png' },
  { scene: 'lines', theme: 'dark', layout: 'split', file: 'docs/lines-dark.png' },
];

function* everyPicture(): Generator<Picture> {
  for (const scene of Object.keys(SCENES) as (keyof typeof SCENES)[])
    for (const theme of Object.keys(THEMES) as (keyof typeof THEMES)[])
      for (const layout of Object.keys(LAYOUTS) as (keyof typeof LAYOUTS)[])
        if (scene !== 'lines' || layout !== 'wide') {
          const file = `.vscode-test/pictures/${scene}-${layout}-${theme}.png`;
          yield { scene, theme, layout, file };
        }
}

const wanted = process.env['PICTURES'];
const pictures = wanted
  ? [...everyPicture()].filter(({ file }) => new RegExp(wanted).test(file))
  : README;

describe('pictures', () => {
  const open = workbenchPerTest();

  test.each(pictures)('$file', async ({ scene, theme, layout, file }) => {
    const { folder, show } = SCENES[scene];
    const python = process.env['ATTENTION_PYTHON'] ?? 'python3';
    const workbench = await open({
      folder: join(root, folder),
      viewport:
        scene === 'lines' && layout === 'split' ? { width: 1600, height: 900 } : LAYOUTS[layout],
      theme: THEMES[theme],
      settings: { 'attention.python': python, 'editor.minimap.enabled': false },
    });
    await show(workbench);
    mkdirSync(join(root, file, '..'), { recursive: true });
    const path = join(root, file);
    if (layout === 'wide') {
      await hideSideBar(workbench);
      await workbench.runCommand('View: Toggle Maximize Editor Group');
      await workbench.page.waitForTimeout(1500);
      await workbench.page.locator('iframe.webview.ready:visible').screenshot({ path });
    } else {
      // Else the tooltip of the button that was clicked last covers a part.
      if (scene !== 'lines') await workbench.page.mouse.move(10, LAYOUTS[layout].height - 4);
      await workbench.page.waitForTimeout(500);
      await workbench.page.screenshot({ path });
    }
  });
});
