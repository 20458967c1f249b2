// check SETUP --against TRACE | --mine [--json]: a person's tensors against the reference.
import { check } from '../compare/check.ts';
import { fitsIn, wantedBy } from '../compare/fits.ts';
import { tensorName } from '../engine/graph.ts';
import type { Report } from '../compare/report.ts';
import { type ResolvedName, resolveName } from '../formats/nodeNames.ts';
import { oneLine } from '../formats/shown.ts';
import { runImplementation } from './mine.ts';
import { say } from './output.ts';
import { InputError, openSetupFile, printJson, printTable } from './support.ts';
import { readTracePath } from './trace.ts';

/**
 * 0 match, 1 diverges; a trace of which no entry is a node is bad input. Without a trace, the setup's implementation
 * is run.
 */
export async function checkCommand(
  setupFile: string,
  traceFile: string | null,
  json: boolean,
): Promise<number> {
  const opened = await openSetupFile(setupFile);
  const { setup, graph, config } = opened;
  const { names } = setup;
  const resolve = (name: string, rank: number): ResolvedName | null =>
    resolveName(name, names, rank);
  const options = { resolve, fits: fitsIn(graph), want: wantedBy(graph, resolve) };
  const { tensors, leftOut } =
    traceFile === null
      ? { tensors: await runImplementation(setupFile, opened), leftOut: [] }
      : await readTracePath(traceFile, options);
  const found = check({ config, graph, trace: tensors, names, resolve: resolveName });
  const report = { ...found, unaligned: [...leftOut, ...found.unaligned] };
  if (json) printJson(report);
  else print(report);
  if (report.verdict === 'unaligned') {
    const [first] = report.unaligned;
    const why = first ? `${oneLine(first.name)}: ${first.reason}` : 'there are no tensors';
    const of = traceFile ?? setup.implementation?.module;
    throw new InputError(`${of}: ${why}, expected at least one node such as P or dQ`);
  }
  return report.verdict === 'match' ? 0 : 1;
}

function print({ verdict, first, nodes, causes, dtype, unaligned }: Report): void {
  const given = nodes.filter(({ status }) => status !== 'missing');
  const rows = given.map((each) => [
    tensorName(each.node, each.kind),
    each.status,
    each.maxAbs?.toExponential(2) ?? '',
    each.maxRel?.toExponential(2) ?? '',
    each.tolerance?.toExponential(1) ?? '',
    `[${each.worstIndex?.join(', ')}]`,
    each.note,
  ]);
  if (rows.length > 0)
    printTable([['node', 'status', 'max abs', 'relative', 'allowed', 'worst at', ''], ...rows]);
  say('');
  say(`Judged as ${dtype}; ${given.length} of ${nodes.length} nodes given.`);
  for (const { name, reason } of unaligned) say(`Not compared: ${oneLine(name)} (${reason}).`);
  if (verdict === 'match') say('All that is given is right.');
  if (first) say(`First wrong: ${tensorName(first.node, first.kind)}.`);
  for (const cause of causes) {
    const { runnerUp } = cause;
    say('');
    say(`${cause.title}  [${cause.id}]`);
    say(`  ${cause.why}`);
    say(`  wrong:   ${cause.wrong}`);
    say(`  right:   ${cause.right}`);
    say(`  NumPy:   ${cause.numpy}`);
    say(`  PyTorch: ${cause.pytorch}`);
    const second = runnerUp
      ? `; next best, "${runnerUp.title}": ${runnerUp.residual.toExponential(1)}`
      : '';
    say(`  residual ${cause.residual.toExponential(1)}${second}`);
  }
  if (first && causes.length === 0) say('The cause is unknown; the notes say what is known.');
}
