// check SETUP --against TRACE | --mine [--json]: a person's tensors against the reference.
import { check } from '../compare/check.ts';
import { fitsIn, wantedBy } from '../compare/align/fits.ts';
import { tensorName } from '../engine/graph.ts';
import {
  isMisfit,
  type NodeReport,
  precisionText,
  type Report,
  summaryOf,
} from '../compare/report.ts';
import type { ComputableSetup } from '../formats/openSetup.ts';
import { type ResolvedName, resolveName } from '../formats/nodeNames.ts';
import { oneLine } from '../formats/shown.ts';
import { runHelped } from '../threads/helped.ts';
import { runImplementation } from './mine.ts';
import { say } from './output.ts';
import { InputError, openSetupFile, printJson, printTable } from './support.ts';
import { readTracePath } from './trace.ts';

/** Without a trace, the setup's implementation is run. Throws InputError where nothing can be read. */
export async function checkTrace(
  opened: ComputableSetup,
  setupFile: string,
  traceFile: string | null,
): Promise<Report> {
  const { setup, graph, config } = opened;
  const { names } = setup;
  const resolve = (name: string, rank: number): ResolvedName | null =>
    resolveName(name, names, rank);
  const options = { resolve, fits: fitsIn(graph), want: wantedBy(graph, resolve) };
  const { tensors, leftOut } =
    traceFile === null
      ? { tensors: await runImplementation(setupFile, opened), leftOut: [] }
      : await readTracePath(traceFile, options);
  const computed = runHelped(graph);
  const found = check({ config, graph, trace: tensors, names, resolve: resolveName, computed });
  return {
    ...found,
    given: found.given + leftOut.length,
    unaligned: [...leftOut, ...found.unaligned],
  };
}

/** 0 match, 1 diverges; a trace of which no entry is a node is bad input. */
export async function checkCommand(
  setupFile: string,
  traceFile: string | null,
  json: boolean,
): Promise<number> {
  const opened = await openSetupFile(setupFile);
  const report = await checkTrace(opened, setupFile, traceFile);
  if (json) printJson(report);
  else print(report);
  if (report.verdict === 'unaligned') {
    const of = traceFile ?? opened.setup.implementation?.module;
    throw new InputError(`${of}: ${whyUnaligned(report)}`);
  }
  return report.verdict === 'match' ? 0 : 1;
}

/** Why nothing is compared, with the first tensor that does not fit. */
export function whyUnaligned(report: Report): string {
  const odd = report.nodes.find(isMisfit);
  if (odd) return `${summaryOf(report)}: ${tensorName(odd.node, odd.kind)}: ${odd.note}`;
  const [first] = report.unaligned;
  const why = first ? `${oneLine(first.name)}: ${first.reason}` : 'there are no tensors';
  return `${why}, expected at least one node such as P or dQ`;
}

/** Nothing where all of the reference is rounding, of which no part is large or small. */
const relativeOf = ({ maxRel, status }: NodeReport): string =>
  maxRel === null || (status === 'match' && maxRel > 1) ? '' : maxRel.toExponential(2);

function print(report: Report): void {
  const { first, nodes, causes, unaligned } = report;
  const given = nodes.filter(({ status }) => status !== 'missing');
  const rows = given.map((each) => [
    tensorName(each.node, each.kind),
    each.status,
    each.maxAbs?.toExponential(2) ?? '',
    relativeOf(each),
    each.tolerance?.toExponential(1) ?? '',
    each.worstIndex ? `[${each.worstIndex.join(', ')}]` : '',
    each.note,
  ]);
  if (rows.length > 0)
    printTable([['node', 'status', 'max abs', 'relative', 'allowed', 'worst at', ''], ...rows]);
  say('');
  say(`${summaryOf(report)}.`);
  if (report.precision) say(`${precisionText(report.precision)}.`);
  for (const convention of report.conventions) say(convention);
  for (const { name, reason } of unaligned) say(`Not compared: ${oneLine(name)} (${reason}).`);
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
  if (first && causes.length === 0) printKnown(first, nodes);
}

/** Of a first wrong node whose cause is unknown, what its note says, a line each. */
function printKnown(first: NonNullable<Report['first']>, nodes: readonly NodeReport[]): void {
  say('The cause is unknown. What is known:');
  const own = nodes.find(({ node, kind }) => node === first.node && kind === first.kind);
  for (const clue of own?.note.split('; ') ?? []) say(`  ${clue.replace(/^unknown cause: /, '')}`);
}
