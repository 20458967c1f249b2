// Layers of tests: "unit" (pure Node), "hostile" (attacks), "webview" (Chromium) and "vscode" (a real VS Code).
// "pictures" is no test: it takes the README's pictures in a real VS Code.
import { defineConfig } from 'vitest/config';

const pure = [
  ...['engine', 'stepper', 'inspect', 'compare', 'lines', 'formats', 'protocol'],
  ...['threads', 'cli', 'mine', 'process', 'disk', 'recorder', 'lineRun', 'extension', 'scripts'],
];

export default defineConfig({
  test: {
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: [`test/{${pure.join(',')}}/**/*.test.ts`],
          // Pure modules keep no state that tests could share.
          isolate: false,
          testTimeout: 300_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'hostile',
          include: ['test/hostile/**/*.test.ts'],
          // Memory and time are measured.
          fileParallelism: false,
          testTimeout: 900_000,
          hookTimeout: 120_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'webview',
          include: ['test/webview/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          // A browser that another process starves lays out late: once more, in a new page.
          retry: 1,
          expect: { poll: { timeout: 30_000 } },
        },
      },
      {
        extends: true,
        test: {
          name: 'vscode',
          include: ['test/vscode/**/*.test.ts'],
          globalSetup: ['test/vscode/harness/globalSetup.ts'],
          // Two workbenches at once starve each other on a small machine.
          fileParallelism: false,
          testTimeout: 420_000,
          hookTimeout: 420_000,
          // A workbench that is still starting now and then takes the focus or a key: once more, in a new one.
          retry: 1,
          // On a loaded machine a click may take seconds to be painted.
          expect: { poll: { timeout: 120_000 } },
        },
      },
      {
        extends: true,
        test: {
          name: 'pictures',
          include: ['test/pictures/**/*.test.ts'],
          globalSetup: ['test/vscode/harness/globalSetup.ts'],
          fileParallelism: false,
          testTimeout: 240_000,
          hookTimeout: 300_000,
          expect: { poll: { timeout: 60_000 } },
        },
      },
    ],
  },
});
