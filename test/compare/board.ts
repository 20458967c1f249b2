// One case of the held-out board: a planted slip, what the checker says of it, and whether that is so on other inputs.
import { check } from '../../src/compare/check.ts';
import { referenceProgram, State } from '../../src/compare/program/program.ts';
import type { HeadConfig } from '../../src/engine/config.ts';
import { buildGraph } from '../../src/engine/heads/build.ts';
import { largestMagnitude, type Tensor } from '../../src/engine/tensor.ts';
import { resolveName } from '../../src/formats/nodeNames.ts';
import { openSetup } from '../../src/formats/openSetup.ts';
import { made, planted, type Planted } from './randomMutants.ts';

/** formula: the truth on all inputs · known: a named cause · wrong: a formula that is another on other inputs. */
type Answer = 'formula' | 'known' | 'wrong' | 'unknown' | 'elsewhere';

export interface BoardResult {
  readonly answer: Answer;
  readonly what: string;
  readonly told: string;
  readonly ms: number;
}

export async function boardCase(
  random: () => number,
  setup: object,
  slips: number,
): Promise<BoardResult | null> {
  const { graph, config } = await openSetup(JSON.stringify(setup), () =>
    Promise.reject(new Error('no files here')),
  );
  if (!graph || !config) return null;
  const own = planted(random, graph, slips);
  if (!own) return null;
  const began = process.cpuUsage();
  const report = check({
    ...{ config, graph, names: {}, resolve: resolveName },
    trace: own.trace.map((each) => ({ ...each, dtype: 'float64' as const })),
  });
  const { user, system } = process.cpuUsage(began);
  // Of the processor: the machine may have other things to do.
  const ms = (user + system) / 1000;
  const [cause] = report.causes;
  const told = cause ? `${cause.id}: ${cause.title}` : 'unknown';
  const { first } = report;
  const key = first && `${first.kind === 'value' ? 'v' : 'g'}:${first.node}`;
  const answer = (): Answer => {
    if (key !== own.key) return 'elsewhere';
    if (!cause) return 'unknown';
    if (!cause.formulas) return 'known';
    return isTruth(cause.formulas, own, config, random) ? 'formula' : 'wrong';
  };
  return {
    answer: answer(),
    what: own.what,
    told: cause?.formulas ? `${told}\n          ${cause.wrong}` : told,
    ms,
  };
}

/** Other numbers in all that is given. */
function otherInputs(config: HeadConfig, random: () => number): HeadConfig {
  const other = ({ shape, data }: Tensor): Tensor => ({
    shape,
    data: data.map((value) => value + random() - 0.5),
  });
  const weights = Object.fromEntries(
    Object.entries(config.weights).map(([id, value]) => [id, other(value)]),
  );
  const each = <Part extends Record<string, Tensor | undefined>>(part: Part): Part =>
    Object.fromEntries(
      Object.entries(part).map(([id, value]) => [id, value && other(value)]),
    ) as Part;
  const { x, xPrime, start, past } = config;
  return {
    ...{ ...config, weights },
    ...(x && { x: other(x) }),
    ...(xPrime && { xPrime: other(xPrime) }),
    ...(start && { start: each(start) }),
    ...(past && { past: each(past) }),
  };
}

function isTruth(
  { wrong, right }: { wrong: Parameters<typeof made>[0]; right: Parameters<typeof made>[0] },
  own: Planted,
  config: HeadConfig,
  random: () => number,
): boolean {
  const others = buildGraph(otherInputs(config, random));
  const state = new State(referenceProgram(others));
  // The told formula is of the whole gradient, the planted one of one contribution.
  const [told, should] = [wrong, right].map((each) => made(each, state, others));
  const [slip, part] = [own.formula, own.right].map((each) => made(each, state, others));
  const scale = Math.max(largestMagnitude(should), largestMagnitude(told), 1e-300);
  return told.data.every(
    (value, n) => Math.abs(value - (should.data[n] + slip.data[n] - part.data[n])) <= 1e-8 * scale,
  );
}
