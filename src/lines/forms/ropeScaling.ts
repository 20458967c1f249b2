// What models compute on the way from RoPE's frequencies to scaled ones: ramps, blends, numbers.
import type { Rope } from '../../engine/config.ts';
import { magnitudeOf, yarnRamp } from '../../engine/ops/ropeAngles.ts';

type Named = [title: string, value: Float64Array | number];

const clip = (value: number): number => Math.min(1, Math.max(0, value));

/** `plain`: the frequencies before, one for each pair. */
export function scalingOf({ base, scaling }: Rope, plain: Float64Array): Named[] {
  if (!scaling) return [];
  const { factor } = scaling;
  const width = 2 * plain.length;
  if (scaling.kind === 'ntk') return [['stretched base', base * factor ** (width / (width - 2))]];
  const stretched = plain.map((each) => each / factor);
  const found: Named[] = [
    ['frequencies over the factor', stretched],
    ['exponents’ powers times the factor', stretched.map((each) => 1 / each)],
  ];
  if (scaling.kind === 'linear') return found;
  const share =
    scaling.kind === 'llama3' ? llama3Share(scaling, plain) : yarnShare(scaling, base, width);
  const blend = (kept: number, pair: number): number =>
    kept * plain[pair] + (1 - kept) * stretched[pair];
  const kept = share.map(clip);
  for (const [title, each] of [
    ['', kept],
    [', not clipped', share],
  ] as const) {
    found.push([`share of the frequencies that are kept${title}`, each]);
    found.push([`share that is stretched${title}`, each.map((value) => 1 - value)]);
    found.push([`kept part of the frequencies${title}`, each.map((value, n) => value * plain[n])]);
    found.push([
      `stretched part of the frequencies${title}`,
      each.map((value, n) => (1 - value) * stretched[n]),
    ]);
  }
  found.push(['blended frequencies, not clipped', share.map(blend)]);
  if (scaling.kind === 'llama3') {
    found.push([
      'frequencies, the slow ones stretched',
      share.map((each, n) => (each < 0 ? stretched : plain)[n]),
    ]);
    found.push([
      'wavelengths’ turns',
      share.map((_, n) => (scaling.originalLength * plain[n]) / (2 * Math.PI)),
    ]);
    return found;
  }
  found.push(['magnitude', magnitudeOf(scaling)]);
  return found;
}

type Llama3 = NonNullable<Rope['scaling']> & { kind: 'llama3' };
type Yarn = NonNullable<Rope['scaling']> & { kind: 'yarn' };

const llama3Share = (
  { lowFreqFactor: low, highFreqFactor: high, originalLength }: Llama3,
  plain: Float64Array,
): Float64Array =>
  plain.map((each) => ((originalLength * each) / (2 * Math.PI) - low) / (high - low));

function yarnShare(scaling: Yarn, base: number, width: number): Float64Array {
  const { low, span } = yarnRamp(scaling, base, width);
  return Float64Array.from({ length: width / 2 }, (_, pair) => 1 - (pair - low) / span);
}
