// lines FILE --test OUT.py: writes inputs that show what the program's own run cannot, as a test of its functions.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { buildGraph } from '../engine/heads/build.ts';
import type { Answer } from '../lineRun/answer.ts';
import { judge } from '../lines/judge.ts';
import type { Recording } from '../lines/recorded/recording.ts';
import { withZeroBiases } from '../lines/sees/biases.ts';
import { inputsFor } from '../lines/sees/build.ts';
import { planOf } from '../lines/sees/plan.ts';
import { NoTest, type Plan } from '../lines/sees/types.ts';
import { sizesFor, type Tie } from '../lines/sees/sizes.ts';
import { type Module, writtenTest } from '../lines/sees/write.ts';
import { start } from '../process/ownProcess.ts';
import { type LinesRunOptions, runLines } from './linesRun.ts';
import { InputError } from './support.ts';
import { writeFileSafely } from './writeFile.ts';

export interface TestWritten {
  readonly file: string;
  readonly sizes: string;
  /** Whether the program passes. */
  readonly passes: boolean;
  /** What it says where it does not. */
  readonly said: string;
}

/** Sizes that a program may hold to be one, tried where it breaks off with all of them different. */
const TIES: readonly (readonly Tie[])[] = [
  [],
  [['v', 'a']],
  [['o', 'c']],
  [['j', 'i']],
  [
    ['v', 'a'],
    ['j', 'i'],
  ],
  // One width for all, which is cut into heads.
  [
    ['v', 'a'],
    ['c', 'hrga'],
    ['o', 'c'],
  ],
  [
    ['v', 'a'],
    ['c', 'hrga'],
    ['e', 'c'],
    ['o', 'c'],
    ['j', 'i'],
  ],
];
/** Of one run of the test, in milliseconds. */
const LIMIT = 60_000;

/** What a test ends with that ran to its end: it is the program that is not right there. */
const FAILED = /^AssertionError: .*, expected /;

/** Writes OUT.py and OUT.npz, after a run of the test elsewhere. Throws InputError where none can be written: then nothing is. */
export async function writeTest(options: LinesRunOptions, out: string): Promise<TestWritten> {
  const { answered, args, recording, python, why, result } = await runLines(options);
  if (why !== null || !answered) throw new InputError(why ?? options.file);
  if (result.verdict !== 'match')
    throw new InputError(`${options.file}: it is wrong already: lines says where`);
  if (recording.cells) throw new InputError(`${options.file}: a notebook has no module to import`);
  const npz = out.replace(/(\.py)?$/, '.npz');
  const program = dirname(resolve(options.file));
  const module: Module = {
    name: basename(options.file).replace(/\.py$/, ''),
    folder: relative(dirname(resolve(out)), program) || '.',
    ...{ args, npz: basename(npz) },
  };
  const trial = await mkdtemp(join(tmpdir(), 'attention-test-'));
  try {
    const { config, judged } = seenWith(answered, recording);
    const { catalogue } = judged;
    const plan: Plan = planOf(recording, judged, options.function);
    const { extents, selfAttention } = catalogue.graph;
    let last: string | null = null;
    for (const ties of TIES) {
      const all: readonly Tie[] = selfAttention ? [...ties, ['j', 'i']] : ties;
      const inputs = inputsFor(plan, catalogue, sizesFor(config, extents, plan, all));
      const tried = writtenTest(plan, inputs, { ...module, folder: program });
      const file = join(trial, basename(out));
      await save(file, Buffer.from(tried.text));
      await save(join(trial, module.npz), tried.npz);
      const ran = await runTest(python, file);
      // What breaks off may hold two sizes to be one; that it still fails then is its own.
      if (ran.passes || FAILED.test(ran.said)) {
        const written = writtenTest(plan, inputs, module);
        await save(out, Buffer.from(written.text));
        await save(npz, written.npz);
        return { file: out, sizes: inputs.sizes, ...ran };
      }
      last ??= ran.said;
    }
    throw new NoTest(`with other sizes it ends with ${last}`);
  } catch (error) {
    if (error instanceof NoTest) throw new InputError(`${options.file}: ${error.message}`);
    throw error;
  } finally {
    await rm(trial, { recursive: true, force: true });
  }
}

/** With the biases that its run cannot show. */
function seenWith(
  { config, judged }: Answer,
  recording: Recording,
): Pick<Answer, 'config' | 'judged'> {
  const more = withZeroBiases(config, recording);
  if (!more) return { config, judged };
  const again = judge(recording, more, buildGraph(more));
  return again.localised.verdict === 'match' ? { config: more, judged: again } : { config, judged };
}

const save = (file: string, bytes: Uint8Array): Promise<void> =>
  writeFileSafely(file, bytes).catch((error: Error) => {
    throw new InputError(`${file}: cannot be written: ${error.message}`);
  });

async function runTest(python: string, file: string): Promise<{ passes: boolean; said: string }> {
  let stderr = '';
  const { code } = await start({
    ...{
      command: python,
      args: [join(resolve(file))],
      cwd: dirname(resolve(file)),
      timeout: LIMIT,
    },
    onStderr: (text) => (stderr += text),
  }).done;
  return { passes: code === 0, said: stderr.trim().split('\n').at(-1) ?? '' };
}
