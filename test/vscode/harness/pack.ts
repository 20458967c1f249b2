// A fixture extension as a package: of several under development, VS Code in the browser loads the last alone.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { root } from '../../../scripts/lib/setup.mjs';

/** Writes the .vsix of an extension's folder. */
export function packFolder(folder: string, vsix: string): void {
  const vsce = join(root, 'node_modules', '@vscode', 'vsce', 'vsce');
  const options = ['--no-dependencies', '--skip-license', '--allow-missing-repository'];
  execFileSync(process.execPath, [vsce, 'package', ...options, '--out', vsix], {
    cwd: folder,
    stdio: 'pipe',
  });
}
