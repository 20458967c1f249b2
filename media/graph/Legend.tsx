// What the colours mean: a diverging scale, and where it ends for the tensor of this step, or for all of them.
import type { JSX } from 'preact';
import type { Picture } from '../../src/stepper/picture.ts';
import type { RunView } from '../../src/stepper/runView.ts';
import type { StepView } from '../../src/stepper/stepView.ts';
import { colourOf, css, isBeyond } from '../../src/inspect/colour.ts';
import type { Ranges } from '../matrix/ranges.ts';
import { palette } from '../matrix/theme.ts';
import { Name } from '../names.tsx';
import { formatRange } from '../numbers.ts';
import { type Specials, specialsOf } from './specials.ts';

const STEPS = 25;

function End({ id, gradient, range }: { id: string; gradient: boolean; range: number }) {
  return (
    <span class="legend-range">
      <Name id={id} gradient={gradient} /> <span class="figures">±{formatRange(range)}</span>
    </span>
  );
}

/** The ends of the scales of the tensor that this step is about. */
function OwnEnds({ run, step }: { readonly run: RunView; readonly step: StepView }): JSX.Element {
  const node = run.nodes.find(({ id }) => id === step.focus?.node);
  const gradient = node && step.nodes[node.id].gradient;
  const shown = node && node.shape.length > 0;
  return (
    <>
      <span>each picture has its own scale{shown ? ':' : ''}</span>
      {shown && <End id={node.id} gradient={false} range={node.value.range} />}
      {shown && gradient && <End id={node.id} gradient range={gradient.range} />}
    </>
  );
}

function SharedEnds({ value, gradient }: Ranges): JSX.Element {
  const ends = (kind: string, range: number): JSX.Element => (
    <span class="legend-range">
      {kind} <span class="figures">{range > 0 ? `±${formatRange(range)}` : 'none yet'}</span>
    </span>
  );
  return (
    <>
      {ends('all values', value)}
      {ends('all gradients', gradient)}
    </>
  );
}

function Special({ infinite, nan, beyond }: Specials): JSX.Element {
  const { farNegative, farPositive, nan: nanColour } = palette.value;
  const swatch = (...colours: readonly string[]): JSX.Element[] =>
    colours.map((backgroundColor) => (
      <i key={backgroundColor} class="swatch" aria-hidden="true" style={{ backgroundColor }} />
    ));
  return (
    <>
      {beyond && (
        <span class="legend-item" title="A few entries are far larger than all others.">
          {swatch(css(farNegative), css(farPositive))} beyond the end
        </span>
      )}
      {infinite && (
        <span class="legend-item">
          <i class="swatch infinite" aria-hidden="true" /> −∞, masked
        </span>
      )}
      {nan && <span class="legend-item">{swatch(css(nanColour))} NaN</span>}
    </>
  );
}

export function Legend({
  run,
  step,
  ranges,
}: {
  readonly run: RunView;
  readonly step: StepView;
  readonly ranges: Ranges | null;
}): JSX.Element {
  const colours = palette.value;
  const beyond = ({ largest, range }: Picture): boolean => isBeyond(largest, range);
  return (
    <div class="legend" role="note" aria-label="Legend">
      <span class="legend-scale" aria-hidden="true">
        <span>−</span>
        <span class="legend-bar">
          {Array.from({ length: STEPS }, (_, n) => (
            <i
              key={n}
              style={{ backgroundColor: css(colourOf((2 * n) / (STEPS - 1) - 1, 1, colours)) }}
            />
          ))}
        </span>
        <span>+</span>
      </span>
      {ranges ? <SharedEnds {...ranges} /> : <OwnEnds run={run} step={step} />}
      <Special {...specialsOf(run, step, ranges ? () => false : beyond)} />
    </div>
  );
}
