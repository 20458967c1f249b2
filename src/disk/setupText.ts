// The text of a setup's file, as the command line and the thread that runs programs read it.
import { MAX_SETUP_BYTES } from '../formats/limits.ts';
import { decodeText } from '../formats/text.ts';
import { diskSource } from './regularFile.ts';

/** Throws Error, whose message says in one line what was found. */
export async function readSetupText(file: string): Promise<string> {
  try {
    const source = await diskSource(file);
    const { size } = source;
    if (size > MAX_SETUP_BYTES) throw new Error(`found ${size} bytes, at most ${MAX_SETUP_BYTES}`);
    return decodeText(await source.read(0, size));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const found = code === 'ENOENT' ? 'no such file' : message.replace(/, expected .*/, '');
    throw new Error(`${found}, expected a setup`, { cause: error });
  }
}
