// lines FILE [--setup SETUP] [--function NAME] [--layer N] [--fix [--write | --dry-run]] [--json] [-- ARGS...]: which line is wrong.
import { parseArgs } from 'node:util';
import { tensorName } from '../engine/graph.ts';
import { isOfFirstAlone } from '../lines/tell/laterSums.ts';
import type { Recording } from '../lines/recorded/recording.ts';
import { verifiedWords } from '../lines/repair/fix.ts';
import type { Line, LinesResult } from '../lines/tell/result.ts';
import { runLines, writeFix } from './linesRun.ts';
import { writeTest } from './sees.ts';
import { InputError, printJson, printTable } from './support.ts';

interface LinesOptions {
  readonly file: string;
  readonly setup?: string;
  readonly function?: string;
  readonly layer?: number;
  /** Whether proven fixes are looked for, and the shortest is written to the file or shown as it would be. */
  readonly fix: boolean;
  readonly write: boolean;
  readonly dryRun: boolean;
  readonly json: boolean;
  /** Where a test is written. */
  readonly test?: string;
  readonly args: readonly string[];
}

function layerOf(text: string): number {
  if (!/^[1-9]\d*$/.test(text))
    throw new InputError(`--layer: found ${text}, expected a number from 1`);
  return Number(text);
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
      layer: { type: 'string' },
      fix: { type: 'boolean' },
      write: { type: 'boolean' },
      'dry-run': { type: 'boolean' },
      test: { type: 'string' },
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
    ...(values.layer !== undefined && { layer: layerOf(values.layer) }),
    fix: values.fix ?? false,
    write: values.write ?? false,
    dryRun: values['dry-run'] ?? false,
    json: values.json ?? false,
    ...(values.test !== undefined && { test: values.test }),
    args: end < 0 ? [] : words.slice(end + 1),
  };
}

/** 0 match, 1 diverges; a program in which no attention is found is bad input. */
export async function linesCommand(words: readonly string[]): Promise<number> {
  const options = optionsOf(words);
  if (options.test !== undefined) return testCommand(options, options.test);
  const { recording, result, fixes, why } = await runLines(options);
  if (options.json) printJson(result);
  // Where nothing was found the one line that is thrown says all.
  else if (result.lines.length > 0 || why === null) print(result, recording, options);
  if (options.write && !options.dryRun) await writeFix(options.file, fixes);
  if (why !== null) throw new InputError(why);
  return result.verdict === 'match' ? 0 : 1;
}

/** 0 where the program passes the test that was written, 1 where it does not. */
async function testCommand(options: LinesOptions, out: string): Promise<number> {
  const written = await writeTest(options, out);
  const { sizes, passes, said } = written;
  if (options.json) printJson(written);
  else console.log(`${out}: ${sizes}.\nThe program ${passes ? 'passes' : `fails: ${said}`}`);
  return passes ? 0 : 1;
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
  { verdict, first, lines, causes, fixes, inferred, notes, notShown }: LinesResult,
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
    for (const { entry, from, sure, note } of inferred)
      console.log(`  ${entry}  from ${placeOf(from)}${sure ? '' : ', a guess'}: ${note}`);
  }
  for (const note of notes) console.log(`\nNote: ${note}`);
  const until = recording.exit.exception ? ' until it ended' : '';
  if (verdict === 'match')
    console.log(
      `\nAll that was ${notes.some(isOfFirstAlone) ? 'judged' : 'computed'}${until} is right.`,
    );
  if (notShown.length > 0) console.log('\nWhat this run could not have shown:');
  for (const { because, hides } of notShown) console.log(`  ${because}: ${hides}`);
  if (!first) return;
  const node =
    first.node && tensorName(first.node, first.kind === 'gradient' ? 'gradient' : 'value');
  console.log(`\nFirst wrong: ${placeOf(first)}${node ? `, which computes ${node}` : ''}`);
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
  for (const { diff, verified } of fixes)
    console.log(`\nVerified: ${verifiedWords(verified)}\n${diff}`);
  if (fixes.length > 0 && isWritten)
    console.log(dryRun ? `Would be written to ${fixes[0].file}.` : `Written to ${fixes[0].file}.`);
}
