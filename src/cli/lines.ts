// lines FILE [--setup SETUP] [--function NAME] [--fix [--write | --dry-run]] [--json] [-- ARGS...]: which line is wrong.
import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { tensorName } from '../engine/graph.ts';
import { type Answer, answer, lacksModule, nothingFound, syntaxError } from '../lineRun/answer.ts';
import { causeOf, findFixes } from '../lineRun/fixes.ts';
import type { Fix } from '../lines/repair/fix.ts';
import { parseRecording, type Recording } from '../lines/recording.ts';
import { type Line, type LinesResult, notesOf } from '../lines/result.ts';
import { setupDocument } from '../lines/setupDocument.ts';
import { type Recorded, RecordError, record, recorderIn } from '../recorder/record.ts';
import { InputError, openSetupFile, printJson, printTable } from './support.ts';
import { writeFileSafely } from './writeFile.ts';

interface LinesOptions {
  readonly file: string;
  readonly setup?: string;
  readonly function?: string;
  /** Whether proven fixes are looked for, and the shortest is written to the file or shown as it would be. */
  readonly fix: boolean;
  readonly write: boolean;
  readonly dryRun: boolean;
  readonly json: boolean;
  readonly args: readonly string[];
}

/** What `lines` is asked for; all after `--` is the program's. Throws InputError. */
function optionsOf(words: readonly string[]): LinesOptions {
  const end = words.indexOf('--');
  const own = end < 0 ? words : words.slice(0, end);
  const { values, positionals } = parseArgs({
    args: [...own],
    allowPositionals: true,
    options: {
      setup: { type: 'string' },
      function: { type: 'string' },
      fix: { type: 'boolean' },
      write: { type: 'boolean' },
      'dry-run': { type: 'boolean' },
      json: { type: 'boolean' },
    },
  });
  const [file, ...rest] = positionals;
  if (!values.fix && (values.write || values['dry-run']))
    throw new InputError('--write and --dry-run go with --fix');
  if (file === undefined || rest.length > 0)
    throw new InputError(`expected one Python file, found ${positionals.length}`);
  return {
    file,
    ...(values.setup !== undefined && { setup: values.setup }),
    ...(values.function !== undefined && { function: values.function }),
    fix: values.fix ?? false,
    write: values.write ?? false,
    dryRun: values['dry-run'] ?? false,
    json: values.json ?? false,
    args: end < 0 ? [] : words.slice(end + 1),
  };
}

/** The recorder lies beside the bundle's folder, and beside src. */
function recorder(): string {
  const here = dirname(fileURLToPath(import.meta.url));
  for (const folder of [join(here, '..'), join(here, '..', '..')])
    if (existsSync(recorderIn(folder))) return recorderIn(folder);
  throw new InputError('found no python/attention_lines beside the command line');
}

/** Interpreters that are tried: the one that is asked for alone, else until one has what the program imports. */
function interpreters(): string[] {
  const asked = process.env['ATTENTION_PYTHON'];
  if (asked) return [asked];
  const { VIRTUAL_ENV: environment } = process.env;
  const own = environment ? [join(environment, 'bin', 'python')] : [];
  return [...own, 'python3', '/usr/bin/python3', 'python'];
}

interface Ran {
  readonly recording: Recording;
  readonly recorded: Recorded;
  readonly python: string;
}

async function run({ file, args, function: name }: LinesOptions): Promise<Ran> {
  const path = resolve(file);
  const found = await stat(path).catch(() => null);
  if (!found)
    throw new InputError(`${file}: no such file, expected a Python program or a notebook`);
  let best: Ran | null = null;
  let failure: RecordError | null = null;
  for (const python of interpreters()) {
    try {
      const recorded = await record({
        ...{ recorder: recorder(), python, file: path, args, cwd: process.cwd() },
        ...(name !== undefined && { function: name }),
      });
      const recording = parseRecording(recorded.bytes, file);
      best ??= { recording, recorded, python };
      if (!lacksModule(recording)) {
        best = { recording, recorded, python };
        break;
      }
    } catch (error) {
      if (!(error instanceof RecordError)) throw error;
      failure ??= error;
      if (error.exit) break;
    }
  }
  if (!best) throw new InputError(`${file}: ${failure?.message ?? 'nothing was recorded'}`);
  return best;
}

/** 0 match, 1 diverges; a program in which no attention is found is bad input. */
export async function linesCommand(words: readonly string[]): Promise<number> {
  const options = optionsOf(words);
  const { recording, recorded, python } = await run(options);
  const broken = syntaxError(recording);
  if (broken) {
    const [message] = broken.message.split('\n');
    throw new InputError(
      `${broken.file || options.file}:${broken.line}: ${broken.type}: ${message}`,
    );
  }
  const { setup: setupFile, ...asked } = options;
  const setup = setupFile === undefined ? undefined : await openSetupFile(setupFile);
  const answered = answer(recording, { ...asked, ...(setup && { setup }) });
  if (!answered) {
    const empty: LinesResult = {
      ...{ verdict: 'unaligned', setup: {}, inferred: [], lines: [], first: null },
      ...{ causes: [], fixes: [], notes: notesOf(recording) },
    };
    if (options.json) printJson(empty);
    throw new InputError(nothingFound(recording, options.file));
  }
  // What the program says is not what this command says.
  process.stderr.write(recorded.stderr + recorded.stdout);
  const document =
    setupFile === undefined
      ? setupDocument(answered.config, answered.source)
      : (JSON.parse(await readFile(setupFile, 'utf8')) as object);
  const { verdict, ...rest } = answered.result;
  const fixes =
    options.fix && verdict === 'diverges'
      ? await fixesOf(options, python, recording, answered)
      : [];
  const proven = fixes.length > 0 ? causeOf(fixes[0], answered.judged) : null;
  const result: LinesResult = {
    ...{ verdict, setup: document },
    inferred: answered.inferred.map(({ entry, from, sure }) => ({ entry, from, sure })),
    ...rest,
    ...(proven && { causes: [proven] }),
    fixes: fixes.map(({ source: _source, slips: _slips, ...fix }) => fix),
  };
  if (options.json) printJson(result);
  else print(result, recording, options);
  if (options.write && !options.dryRun) await write(options.file, fixes);
  if (verdict === 'unaligned') throw new InputError(nothingFound(recording, options.file));
  return verdict === 'match' ? 0 : 1;
}

/** Seconds that one run of the program may take while edits are tried. */
const RUN_SECONDS = 30;

async function fixesOf(
  { file, args }: LinesOptions,
  python: string,
  recording: Recording,
  { judged, config, graph }: Answer,
): Promise<readonly Fix[]> {
  const bench = {
    ...{ python, recorder: recorder(), file: resolve(file), args, cwd: process.cwd() },
    timeout: RUN_SECONDS,
  };
  return (await findFixes({ recording, judged, config, graph, bench })).fixes;
}

/** The shortest fix, in the person's file. */
async function write(file: string, [fix]: readonly Fix[]): Promise<void> {
  if (!fix) return;
  await writeFileSafely(join(dirname(resolve(file)), fix.file), Buffer.from(fix.source));
}

const placeOf = ({ file, cell, line }: Pick<Line, 'file' | 'cell' | 'line'>): string =>
  cell === undefined ? `${file}:${line}` : `${file} cell ${cell}:${line}`;

function textOf(
  recording: Recording,
  { file, cell, line }: Pick<Line, 'file' | 'cell' | 'line'>,
): string {
  const source =
    cell === undefined
      ? recording.files.find(({ path }) => path === file)?.source
      : recording.cells?.find((each) => each.cell === cell)?.source;
  return source?.split('\n')[line - 1]?.trim() ?? '';
}

function print(
  { verdict, first, lines, causes, fixes, inferred, notes }: LinesResult,
  recording: Recording,
  { fix: isAsked, write: isWritten, dryRun }: LinesOptions,
): void {
  const shown = lines.filter(({ status, kind }) => status !== 'unaligned' && kind !== 'other');
  const rows = shown.map((each) => [
    placeOf(each),
    each.name,
    each.node === null
      ? ''
      : tensorName(each.node, each.kind === 'gradient' ? 'gradient' : 'value'),
    each.status,
    each.note,
  ]);
  if (rows.length > 0) printTable([['line', 'name', 'node', 'status', ''], ...rows]);
  if (inferred.length > 0) {
    console.log('\nThe setup was inferred:');
    for (const { entry, from, sure } of inferred)
      console.log(`  ${entry}  from ${placeOf(from)}${sure ? '' : ', a guess'}`);
  }
  for (const note of notes) console.log(`\nNote: ${note}`);
  if (verdict === 'match') console.log('\nAll that was computed is right.');
  if (!first) return;
  const node =
    first.node === null
      ? 'this'
      : tensorName(first.node, first.kind === 'gradient' ? 'gradient' : 'value');
  console.log(`\nFirst wrong: ${placeOf(first)}, which computes ${node}`);
  console.log(`  ${textOf(recording, first)}`);
  const said = lines.find(
    ({ status, line, file }) => status === 'diverges' && line === first.line && file === first.file,
  );
  if (said?.note) console.log(`  ${said.note}`);
  for (const cause of causes) {
    console.log(`\n${cause.title}  [${cause.id}]`);
    console.log(`  ${cause.why}`);
    console.log(`  wrong:   ${cause.wrong}`);
    console.log(`  right:   ${cause.right}`);
    console.log(`  NumPy:   ${cause.numpy}`);
    console.log(`  PyTorch: ${cause.pytorch}`);
  }
  if (!isAsked) return;
  if (fixes.length === 0) console.log('\nNo edit was found that makes the whole program right.');
  for (const { diff, verified } of fixes) {
    const { tensors, seeds, sizes } = verified;
    console.log(`\nVerified: ${tensors} tensors, ${seeds} seeds, ${sizes} sizes\n${diff}`);
  }
  if (fixes.length > 0 && isWritten)
    console.log(dryRun ? `Would be written to ${fixes[0].file}.` : `Written to ${fixes[0].file}.`);
}
