// check SETUP --against TRACE [--json]: a person's tensors against the reference.
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { check } from '../compare/check.ts';
import type { NodeReport, Report } from '../compare/report.ts';
import { FormatError } from '../formats/formatError.ts';
import type { NamedTensor } from '../formats/namedTensor.ts';
import { resolveName } from '../formats/nodeNames.ts';
import { readTensorFile } from '../formats/tensorFile.ts';
import { InputError, openSetupFile, printJson, printTable } from './support.ts';

/** The tensors of a file, or of all .npy files of a folder. Throws InputError. */
async function readTrace(path: string): Promise<NamedTensor[]> {
  try {
    if (!(await stat(path)).isDirectory()) return readTensorFile(path, await readFile(path));
    const files = (await readdir(path)).filter((file) => file.endsWith('.npy')).sort();
    if (files.length === 0)
      throw new InputError(`${path}: found no .npy file, expected one per tensor`);
    const read = files.map(async (file) =>
      readTensorFile(join(path, file), await readFile(join(path, file))),
    );
    return (await Promise.all(read)).flat();
  } catch (error) {
    if (error instanceof FormatError) throw new InputError(error.message);
    const { code, message } = error as NodeJS.ErrnoException;
    if (error instanceof InputError || code === undefined) throw error;
    throw new InputError(
      `${path}: ${code === 'ENOENT' ? 'no such file' : message}, expected a trace`,
    );
  }
}

/** 0 match, 1 diverges; a trace of which no entry is a node is bad input. */
export async function checkCommand(
  setupFile: string,
  traceFile: string,
  json: boolean,
): Promise<number> {
  const { setup, graph, config } = await openSetupFile(setupFile);
  const trace = await readTrace(traceFile);
  const report = check({ config, graph, trace, names: setup.names, resolve: resolveName });
  if (json) printJson(report);
  else print(report);
  if (report.verdict === 'unaligned') {
    const [first] = report.unaligned;
    const why = first ? `${first.name}: ${first.reason}` : 'there are no tensors';
    throw new InputError(`${traceFile}: ${why}, expected at least one node such as P or dQ`);
  }
  return report.verdict === 'match' ? 0 : 1;
}

const nameOf = ({ node, kind }: Pick<NodeReport, 'node' | 'kind'>): string =>
  kind === 'value' ? node : `d${node}`;

function print({ verdict, first, nodes, causes, dtype, unaligned }: Report): void {
  const given = nodes.filter(({ status }) => status !== 'missing');
  const rows = given.map((each) => [
    nameOf(each),
    each.status,
    each.maxAbs?.toExponential(2) ?? '',
    each.maxRel?.toExponential(2) ?? '',
    each.tolerance?.toExponential(1) ?? '',
    `[${each.worstIndex?.join(', ')}]`,
    each.note,
  ]);
  if (rows.length > 0)
    printTable([['node', 'status', 'max abs', 'relative', 'allowed', 'worst at', ''], ...rows]);
  console.log(`\nJudged as ${dtype}; ${given.length} of ${nodes.length} nodes given.`);
  for (const { name, reason } of unaligned) console.log(`Not compared: ${name} (${reason}).`);
  if (verdict === 'match') console.log('All that is given is right.');
  if (first) console.log(`First wrong: ${nameOf(first)}.`);
  for (const cause of causes) {
    const { runnerUp } = cause;
    console.log(`\n${cause.title}  [${cause.id}]`);
    console.log(`  ${cause.why}`);
    console.log(`  wrong:   ${cause.wrong}`);
    console.log(`  right:   ${cause.right}`);
    console.log(`  NumPy:   ${cause.numpy}`);
    console.log(`  PyTorch: ${cause.pytorch}`);
    const second = runnerUp
      ? `; next best, "${runnerUp.title}": ${runnerUp.residual.toExponential(1)}`
      : '';
    console.log(`  residual ${cause.residual.toExponential(1)}${second}`);
  }
  if (first && causes.length === 0)
    console.log('The cause is unknown; the notes say what is known.');
}
