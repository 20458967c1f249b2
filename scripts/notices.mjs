// Writes dist/NOTICES.txt: the licences of the packages that the bundles contain, and of the fonts.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const licenceFile = /^(licen[cs]e|notice)/i;

/** @param {import('esbuild').Metafile[]} metafiles */
export function writeNotices(metafiles) {
  /** @type {Set<string>} */
  const folders = new Set();
  for (const input of metafiles.flatMap((metafile) => Object.keys(metafile.inputs))) {
    // Also a package inside another one's node_modules; scoped names have two parts.
    const match = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input);
    if (match) folders.add(match[0]);
  }
  const notices = [...folders]
    .sort((a, b) => a.localeCompare(b))
    .map((folder) => {
      const { name, version, license } = JSON.parse(
        readFileSync(join(folder, 'package.json'), 'utf8'),
      );
      const texts = readdirSync(folder)
        .filter((file) => licenceFile.test(file))
        .map((file) => readFileSync(join(folder, file), 'utf8').trim());
      return [`${name} ${version} (${license})`, ...texts].join('\n\n');
    });
  const fonts = readFileSync(join('media', 'fonts', 'LICENSE.txt'), 'utf8').trim();
  const line = `\n\n${'-'.repeat(80)}\n\n`;
  const head = 'The bundles of this extension contain the following packages.';
  writeFileSync(join('dist', 'NOTICES.txt'), `${[head, ...notices, fonts].join(line)}\n`);
}
