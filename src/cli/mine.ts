// The tensors of the module that a setup names as its implementation, for the command line.
import { dirname, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { NamedTensor } from '../formats/namedTensor.ts';
import type { ComputableSetup } from '../formats/openSetup.ts';
import { MineError, runMine } from '../mine/runMine.ts';
import { InputError } from './support.ts';

/** Bundled beside the command line. */
const RUNNER = fileURLToPath(new URL('runMine.mjs', import.meta.url));

/** What the module prints goes to standard error. Throws InputError. */
export async function runImplementation(
  file: string,
  { setup, graph, config }: ComputableSetup,
): Promise<readonly NamedTensor[]> {
  const { implementation, names } = setup;
  if (!implementation) {
    const expected = 'expected one with --mine, such as "implementation": "./mine.mjs"';
    throw new InputError(`${file}: found no "implementation", ${expected}`);
  }
  const module = resolve(dirname(file), implementation.module);
  try {
    return await runMine({
      ...{ runner: RUNNER, module, timeout: implementation.timeout, config, graph, names },
      onOutput: (text) => process.stderr.write(text),
    });
  } catch (error) {
    if (!(error instanceof MineError)) throw error;
    const message = error.message.replace(module, relative('', module));
    throw new InputError(message);
  }
}
