// The tensor in numbers: extremes, mean, norm, zeros, NaN and infinities, the sums of the drawn matrix, a histogram.
import type { JSX } from 'preact';
import type { StatisticsAnswer, TensorInfo } from '../../src/inspect/messages.ts';
import { describeSums } from '../../src/inspect/sums.ts';
import { palette } from '../matrix/theme.ts';
import { formatOne } from '../numbers.ts';
import { matricesOf, selectEntry } from './matrices.ts';
import { coloursFor, cssFor } from './palette.ts';
import { look, looking, scale, statistics } from './state.ts';
import { sumsFor } from './sums.ts';

const digits = (value: number): string =>
  Number.isNaN(value)
    ? '–'
    : String(Number(value.toPrecision(6)))
        .replace('-', '−')
        .replace('e-', 'e−');

const percent = (part: number, all: number): string => {
  if (all === 0 || part === 0) return '0';
  const share = (100 * part) / all;
  return `${part.toLocaleString('en')} (${share < 0.1 ? '< 0.1' : Number(share.toPrecision(3))} %)`;
};

export function Statistics({ info }: { readonly info: TensorInfo }): JSX.Element | null {
  const known = statistics.value;
  if (!known || known.tensor !== info.id) return null;
  const { statistics: numbers, firstNan, firstInfinite } = known.answer;
  const infinite = numbers.positiveInfinite + numbers.negativeInfinite;
  const rows: [string, string][] = [
    ['entries', numbers.entries.toLocaleString('en')],
    ['min', digits(numbers.min)],
    ['max', digits(numbers.max)],
    ['mean', digits(numbers.mean)],
    ['norm', digits(numbers.norm)],
    ['zeros', percent(numbers.zeros, numbers.entries)],
  ];
  return (
    <section class="statistics" aria-label="Statistics">
      <h2>Statistics</h2>
      <dl>
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd class="figures">{value}</dd>
          </div>
        ))}
        <Special name="NaN" count={numbers.nan} first={firstNan} info={info} />
        <Special name="infinite" count={infinite} first={firstInfinite} info={info} />
      </dl>
      <Sums info={info} />
      <Histogram {...known.answer} />
    </section>
  );
}

function Special({
  name,
  count,
  first,
  info,
}: {
  name: string;
  count: number;
  first: readonly number[] | null;
  info: TensorInfo;
}): JSX.Element {
  return (
    <div class={count > 0 ? 'alarm' : ''}>
      <dt>{name}</dt>
      <dd class="figures">
        {count.toLocaleString('en')}{' '}
        {first && (
          <button
            type="button"
            class="link"
            title={`Go to [${first.join(', ')}]`}
            onClick={() => selectEntry(info, first)}
          >
            <span class="hidden">{name}: </span>go to first
          </button>
        )}
      </dd>
    </div>
  );
}

function Sums({ info }: { readonly info: TensorInfo }): JSX.Element | null {
  if (info.axes.length === 0) return null;
  const matrices = matricesOf(info);
  const sums = sumsFor(info, matrices);
  const wanted = looking.value.sums;
  const size = Math.max(Math.abs(scale.value?.low ?? 0), Math.abs(scale.value?.high ?? 0));
  const words = (values: Float64Array): string => {
    const { low, high, same } = describeSums(values, size);
    if (same !== null) return `all ${digits(same)}`;
    return Number.isNaN(low) ? 'some are NaN' : `${formatOne(low)} to ${formatOne(high)}`;
  };
  return (
    <div class="sums-box">
      <label class="check">
        <input type="checkbox" checked={wanted} onChange={() => look({ sums: !wanted })} />
        row and column sums
      </label>
      {wanted && matrices.all.length > 1 && (
        <p class="muted">Sums are shown for one matrix at a time.</p>
      )}
      {sums && (
        <p class="figures">
          rows: {words(sums.rows)} · columns: {words(sums.cols)}
        </p>
      )}
    </div>
  );
}

const HEIGHT = 48;

function Histogram({ histogram }: StatisticsAnswer): JSX.Element | null {
  const { counts, min, max } = histogram;
  const colours = scale.value && coloursFor(scale.value, palette.value);
  if (counts.length === 0 || !colours) return null;
  const most = Math.max(...counts, 1);
  const edge = (n: number): number => min + ((max - min) * n) / counts.length;
  return (
    <figure class="histogram">
      <svg
        viewBox={`0 0 ${counts.length} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`Histogram of the values from ${digits(min)} to ${digits(max)}`}
      >
        {counts.map((count, n) => {
          // One entry in a million is still seen.
          const height = count === 0 ? 0 : Math.max(1, (count / most) * HEIGHT);
          return (
            <rect
              key={n}
              x={n + 0.06}
              y={HEIGHT - height}
              width={0.88}
              height={height}
              fill={cssFor((edge(n) + edge(n + 1)) / 2, colours)}
            >
              <title>{`${digits(edge(n))} to ${digits(edge(n + 1))}: ${count.toLocaleString('en')}`}</title>
            </rect>
          );
        })}
      </svg>
      <figcaption class="figures muted">
        <span>{digits(min)}</span>
        <span>{digits(max)}</span>
      </figcaption>
      <details>
        <summary>Histogram as a table</summary>
        <table>
          <thead>
            <tr>
              <th scope="col">from</th>
              <th scope="col">to</th>
              <th scope="col">entries</th>
            </tr>
          </thead>
          <tbody>
            {counts.map((count, n) => (
              <tr key={n}>
                <td>{digits(edge(n))}</td>
                <td>{digits(edge(n + 1))}</td>
                <td>{count.toLocaleString('en')}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </details>
    </figure>
  );
}
