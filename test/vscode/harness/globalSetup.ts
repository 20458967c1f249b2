// Before the tests in a real VS Code: gets that VS Code, so that no test's time limit pays for it.
import { vscodeFlavour } from '../../../scripts/lib/vscode-flavour.mjs';
import { installServer } from '../../../scripts/lib/vscode-server.mjs';
import { desktopVSCode } from './electron.ts';

export default async function setup(): Promise<void> {
  const flavour = await vscodeFlavour();
  // The workers inherit the choice.
  process.env.ATTENTION_VSCODE = flavour;
  if (flavour === 'electron') await desktopVSCode();
  else installServer();
}
