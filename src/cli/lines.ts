// lines FILE [--setup SETUP] [--function NAME] [--layer N] [--fix [--write | --dry-run]] [--json] [-- ARGS...]: which line is wrong.
import { parseArgs } from 'node:util';
import { detailsOf } from '../lineRun/details.ts';
import { placeText } from '../lines/recorded/place.ts';
import { type LinesRun, runLines, writeFix } from './linesRun.ts';
import { firstText, fixesText, rightText, tableOf } from './linesText.ts';
import { sayLines } from './output.ts';
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
  readonly args?: readonly string[];
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
    ...(end >= 0 && { args: words.slice(end + 1) }),
  };
}

/** 0 match, 1 diverges; a program in which no attention is found is bad input. */
export async function linesCommand(words: readonly string[]): Promise<number> {
  const options = optionsOf(words);
  if (options.test !== undefined) return testCommand(options, options.test);
  const ran = await runLines(options);
  const { result, fixes, why } = ran;
  if (options.json) printJson(result);
  // Where nothing was found the one line that is thrown says all.
  else if (result.lines.length > 0 || why === null) print(ran, options);
  if (options.write && !options.dryRun) await writeFix(options.file, fixes);
  if (why !== null) throw new InputError(why);
  return result.verdict === 'match' ? 0 : 1;
}

/** 0 where the program passes the test that was written, 1 where it does not. */
async function testCommand(options: LinesOptions, out: string): Promise<number> {
  const written = await writeTest(options, out);
  const { sizes, passes, said } = written;
  if (options.json) printJson(written);
  else sayLines(`${out}: ${sizes}.\nThe program ${passes ? 'passes' : `fails: ${said}`}`);
  return passes ? 0 : 1;
}

function print({ result, recording, answered }: LinesRun, options: LinesOptions): void {
  const { inferred, notes } = result;
  const { rows, legend } = tableOf(answered ? detailsOf(recording, answered) : [], result);
  if (rows.length > 0) printTable(rows);
  if (legend) sayLines(`\n${legend}`);
  if (inferred.length > 0) {
    sayLines('\nThe setup was inferred:');
    for (const { entry, from, sure, note } of inferred)
      sayLines(`  ${entry}  from ${placeText(from)}${sure ? '' : ', a guess'}: ${note}`);
  }
  for (const note of notes) sayLines(`\nNote: ${note}`);
  const text = [
    ...rightText(result, recording.exit.exception !== undefined),
    ...firstText(result, recording),
    ...(options.fix ? fixesText(result, options) : []),
  ];
  for (const line of text) sayLines(line);
}
