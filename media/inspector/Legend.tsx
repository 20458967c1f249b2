// What the colours mean, in words and numbers, and how to change it.
import type { JSX } from 'preact';
import { REDUCTIONS, type Reduction } from '../../src/inspect/reduce.ts';
import { type ScaleKind, wordsFor } from '../../src/inspect/scale.ts';
import { CLIPS } from '../../src/inspect/statistics.ts';
import { css } from '../../src/inspect/colour.ts';
import { palette } from '../matrix/theme.ts';
import { formatRange } from '../numbers.ts';
import { coloursFor } from './palette.ts';
import { look, looking, scale, statistics } from './state.ts';

const STEPS = 48;

export function Legend(): JSX.Element | null {
  const known = scale.value;
  const { wish, reduction } = looking.value;
  if (!known) return null;
  const colours = coloursFor(known, palette.value);
  const change = (part: Partial<typeof wish>): void => look({ wish: { ...wish, ...part } });
  const specials = statistics.value?.answer.statistics;
  return (
    <div class="legend-box">
      <div
        class="scale"
        role="note"
        aria-label={`Colours: ${formatRange(known.low)} to ${formatRange(known.high)}, ${wordsFor(known)}`}
      >
        <span class="figures">{formatRange(known.low)}</span>
        <span class="bar" aria-hidden="true">
          {Array.from({ length: STEPS }, (_, n) => (
            <i
              key={n}
              style={{
                backgroundColor: css(
                  colours.samples[Math.round((n / (STEPS - 1)) * (colours.samples.length - 1))],
                ),
              }}
            />
          ))}
        </span>
        <span class="figures">{formatRange(known.high)}</span>
        {specials && specials.nan > 0 && (
          <span class="special">
            <i style={{ backgroundColor: css(colours.palette.nan) }} aria-hidden="true" /> NaN
          </span>
        )}
        {specials && specials.positiveInfinite + specials.negativeInfinite > 0 && (
          <span class="special">
            <i class="infinite" aria-hidden="true" /> ±∞
          </span>
        )}
      </div>
      <p class="words muted">{wordsFor(known)}</p>
      <details class="scale-options">
        <summary>Colours</summary>
        <div class="options">
          <Choice
            label="Scale"
            value={wish.kind}
            options={[
              ['auto', 'from the data'],
              ['diverging', 'diverging'],
              ['sequential', 'sequential'],
            ]}
            onChoose={(kind) => change({ kind: kind as ScaleKind | 'auto' })}
          />
          <Choice
            label="Clip"
            value={String(wish.clip ?? '')}
            options={[
              ['', 'nothing'],
              ...CLIPS.map((percent): [string, string] => [
                String(percent),
                `${percent} % of the entries`,
              ]),
            ]}
            onChoose={(clip) => change({ clip: clip === '' ? null : Number(clip) })}
          />
          <Choice
            label="Blocks show"
            value={reduction}
            options={REDUCTIONS.map((each): [string, string] => [
              each,
              each === 'mean' ? 'their mean' : 'their extreme',
            ])}
            onChoose={(each) => look({ reduction: each as Reduction })}
          />
          <label class="check">
            <input
              type="checkbox"
              checked={wish.symmetric}
              onChange={() => change({ symmetric: !wish.symmetric })}
            />
            symmetric around 0
          </label>
          <label class="check">
            <input
              type="checkbox"
              checked={wish.logarithmic}
              onChange={() => change({ logarithmic: !wish.logarithmic })}
            />
            logarithmic
          </label>
        </div>
      </details>
    </div>
  );
}

interface ChoiceProps {
  readonly label: string;
  readonly value: string;
  readonly options: readonly (readonly [value: string, label: string])[];
  readonly onChoose: (value: string) => void;
}

function Choice({ label, value, options, onChoose }: ChoiceProps): JSX.Element {
  return (
    <label class="field">
      <span>{label}</span>
      <select value={value} onChange={(event) => onChoose(event.currentTarget.value)}>
        {options.map(([each, name]) => (
          <option key={each} value={each}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}
