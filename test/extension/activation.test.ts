// What VS Code loads when it starts the extension: what may be asked for, not what does it.
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { expect, test } from 'vitest';

const MOST = 64 * 1024; // bytes, before they are made small

test('neither the engine nor a format is loaded before it is asked for', async () => {
  const { metafile } = await build({
    entryPoints: [fileURLToPath(new URL('../../src/extension/main.ts', import.meta.url))],
    ...{ bundle: true, write: false, metafile: true, outdir: 'out', splitting: true },
    ...{ platform: 'node', format: 'esm', external: ['vscode'], mainFields: ['module', 'main'] },
  });
  const loaded = new Set<string>();
  const load = (output: string): void => {
    if (loaded.has(output)) return;
    loaded.add(output);
    for (const { path, kind, external } of metafile.outputs[output].imports)
      if (kind === 'import-statement' && !external) load(path);
  };
  load(Object.keys(metafile.outputs).find((path) => path.endsWith('main.js'))!);
  const outputs = [...loaded].map((path) => metafile.outputs[path]);
  const inputs = outputs.flatMap((output) => Object.keys(output.inputs));
  expect(
    inputs.filter((path) => /src\/(engine|compare|formats|stepper)|mathjs/.test(path)),
  ).toEqual([]);
  expect(outputs.reduce((total, { bytes }) => total + bytes, 0)).toBeLessThan(MOST);
  const late = Object.values(metafile.outputs).reduce((total, { bytes }) => total + bytes, 0);
  expect(late).toBeGreaterThan(10 * MOST);
});
