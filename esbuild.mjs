// Builds the bundles of dist/: node esbuild.mjs [--watch] [--production] [--analyze]
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import * as esbuild from 'esbuild';
import { writeNotices } from './scripts/notices.mjs';

const flags = new Set(process.argv.slice(2));
const watch = flags.has('--watch');
const production = flags.has('--production');

/** @type {import('esbuild').BuildOptions} */
const common = {
  bundle: true,
  metafile: true,
  // Source maps are for people who work on the extension; the package ships without them.
  sourcemap: production ? false : 'linked',
  minify: production,
  // dist/NOTICES.txt has the licences.
  legalComments: 'none',
  logLevel: 'info',
};

/** Bundled CommonJS packages call require() for Node builtins. */
const REQUIRE = {
  js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
};

/** @type {import('esbuild').BuildOptions[]} */
const bundles = [
  {
    ...common,
    // The extension, the command line, and the threads that compare and compute, that help them, and that run programs
    // and judge them: what they share is there once, and what is imported late is loaded late.
    entryPoints: {
      extension: 'src/extension/main.ts',
      cli: 'src/cli.ts',
      compare: 'src/extension/compare/worker.ts',
      lines: 'src/extension/lines/worker.ts',
      helper: 'src/threads/helper.ts',
    },
    outdir: 'dist',
    splitting: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    external: ['vscode'],
    // jsonc-parser's "main" is UMD, whose inner requires esbuild cannot follow.
    mainFields: ['module', 'main'],
    banner: { js: `#!/usr/bin/env node\n${REQUIRE.js}` },
  },
  {
    ...common,
    // Loaded by `mcp` alone.
    entryPoints: ['src/mcp/server.ts'],
    // A third of the bundle, and never called.
    alias: { ajv: './src/mcp/noSchemas.ts', 'ajv-formats': './src/mcp/noSchemas.ts' },
    outfile: 'dist/mcp.js',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    mainFields: ['module', 'main'],
    banner: REQUIRE,
  },
  {
    ...common,
    // A process of its own. By its ending a module wherever it lies.
    entryPoints: ['src/mine/runner.ts'],
    outfile: 'dist/runMine.mjs',
    platform: 'node',
    format: 'esm',
    target: 'node20',
  },
  {
    ...common,
    // Fonts lie beside the style sheet.
    entryPoints: ['media/main.tsx'],
    outfile: 'dist/webview.js',
    platform: 'browser',
    format: 'iife',
    target: 'es2022',
    minify: true,
    jsx: 'automatic',
    jsxImportSource: 'preact',
    loader: { '.svg': 'text', '.woff2': 'file' },
  },
  {
    ...common,
    entryPoints: ['media/inspector/main.tsx'],
    outfile: 'dist/inspector.js',
    platform: 'browser',
    format: 'iife',
    target: 'es2022',
    minify: true,
    jsx: 'automatic',
    jsxImportSource: 'preact',
    loader: { '.svg': 'text' },
  },
];

const present = bundles.filter(({ entryPoints }) => {
  const [entry] = Object.values(/** @type {Record<string, string>} */ (entryPoints));
  if (existsSync(entry)) return true;
  console.log(`skipped: ${entry} does not exist yet`);
  return false;
});

if (watch) {
  // The two lines tell the problem matcher of .vscode/tasks.json when a build begins and ends.
  /** @type {import('esbuild').Plugin} */
  const report = {
    name: 'watch-report',
    setup(build) {
      build.onStart(() => console.log('[watch] build started'));
      build.onEnd((result) => {
        for (const { text, location } of result.errors) {
          console.error(`✘ [ERROR] ${text}`);
          if (location) console.error(`    ${location.file}:${location.line}:${location.column}:`);
        }
        console.log('[watch] build finished');
      });
    },
  };
  for (const options of present) {
    const context = await esbuild.context({ ...options, logLevel: 'silent', plugins: [report] });
    await context.watch();
  }
} else {
  await rm('dist', { recursive: true, force: true });
  const results = await Promise.all(present.map((options) => esbuild.build(options)));
  if (production) writeNotices(results.flatMap(({ metafile }) => metafile ?? []));
  if (flags.has('--analyze')) {
    for (const { metafile } of results) {
      if (metafile) console.log(await esbuild.analyzeMetafile(metafile));
    }
  }
}
