// A fix has to hold on other numbers and other sizes as well: the fixed program is run with them and judged anew.
import type { HeadConfig } from '../../engine/config.ts';
import { buildGraph } from '../../engine/heads/build.ts';
import { infer } from '../infer/infer.ts';
import { judge } from '../judge.ts';
import type { Recording } from '../recording.ts';
import type { Bench, Sources, Variation } from './bench.ts';
import type { Verified } from './fix.ts';
import { rightTensors, type Standing, standingOf } from './progress.ts';
import type { Repaired } from './repair.ts';
import { applyEdits } from './text.ts';

/** Sizes that are changed one by one, and then all together. */
const MOST_SIZES = 4;
/** Beyond it no further variation is begun, in seconds. */
const SECONDS = 8;

/** What was run to prove a fix; null where the fixed program is wrong on other numbers. */
export async function prove(
  repaired: Repaired,
  bench: Bench,
  now: () => number,
): Promise<Verified | null> {
  return new Proof(repaired, bench, now).result();
}

class Proof {
  readonly #repaired: Repaired;
  readonly #bench: Bench;
  readonly #now: () => number;
  readonly #began: number;

  constructor(repaired: Repaired, bench: Bench, now: () => number) {
    this.#repaired = repaired;
    this.#bench = bench;
    this.#now = now;
    this.#began = now();
  }

  async result(): Promise<Verified | null> {
    const { standing, sources } = this.#repaired;
    const verified = { tensors: rightTensors(standing), seeds: 1, sizes: 1 };
    // Where the fixed program's own numbers tell nothing of what it computes, others do not either; where they tell
    // something else, the fix holds by chance.
    const own = judgedAlone(standing.recording);
    if (!own) return verified;
    if (own.judged.localised.verdict !== 'match') return null;
    const { seeds, sizes } = await this.#bench.vary(sources);
    for (const variation of seeds) {
      const found = await this.#try([variation], own);
      if (found === 'wrong') return null;
      if (found === 'right') verified.seeds++;
    }
    const kept: Variation[] = [];
    for (const variation of sizes) {
      if (kept.length >= MOST_SIZES || this.#now() - this.#began > SECONDS) break;
      if (kept.some(({ at }) => at === variation.at)) continue;
      const found = await this.#try([variation], own, true);
      if (found === 'wrong') return null;
      if (found === 'right') kept.push(variation);
    }
    if (kept.length > 1) {
      const found = await this.#try(kept, own, true);
      if (found === 'wrong') return null;
    }
    return { ...verified, sizes: verified.sizes + kept.length };
  }

  /** useless: it does not run so, nothing changes, or what it computes then cannot be told. */
  async #try(
    variations: readonly Variation[],
    own: Standing,
    mustResize = false,
  ): Promise<'right' | 'wrong' | 'useless'> {
    const sources = varied(this.#repaired, variations);
    const args = variations.find((each) => each.args)?.args;
    const recording = await this.#bench.record(sources, args);
    if (!recording || recording.exit.code !== own.recording.exit.code) return 'useless';
    if (mustResize && !hasOtherShapes(recording, own.recording)) return 'useless';
    const found = judgedAlone(recording);
    if (!found) return 'useless';
    if (found.judged.localised.verdict === 'diverges') return 'wrong';
    return found.covered.size >= own.covered.size ? 'right' : 'useless';
  }
}

/** Judged by what it is seen to compute, without the person's setup: that is of other numbers. */
function judgedAlone(recording: Recording): Standing | null {
  try {
    const config: HeadConfig | undefined = infer(recording)?.config;
    return config ? standingOf(recording, judge(recording, config, buildGraph(config))) : null;
  } catch {
    return null;
  }
}

/** Whether a tensor that was recorded has another shape. */
function hasOtherShapes(one: Recording, other: Recording): boolean {
  const shapes = (recording: Recording): string =>
    JSON.stringify(recording.events.slice(0, 400).map(({ shape }) => shape));
  return shapes(one) !== shapes(other);
}

type Edits = readonly (readonly [number, number, string])[];

/** Two sizes may be written by the same number: the first one stands. */
const joined = (some: Edits, more: Edits): Edits => [
  ...some,
  ...more.filter(([from, to]) => !some.some(([start, end]) => from < end && start < to)),
];

function varied({ sources, standing }: Repaired, variations: readonly Variation[]): Sources {
  const edits = new Map<string, Edits>();
  for (const variation of variations)
    for (const [file, some] of Object.entries(variation.edits ?? {}))
      edits.set(file, joined(edits.get(file) ?? [], some));
  const result: Record<string, string> = { ...sources };
  for (const [file, some] of edits) {
    const text =
      sources[file] ?? standing.recording.files.find(({ path }) => path === file)?.source;
    if (text !== undefined) result[file] = applyEdits(text, some);
  }
  return result;
}
