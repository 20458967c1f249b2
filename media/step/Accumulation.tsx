// Backward: the accumulator before + this contribution = the accumulator after, as matrices and at one entry.
import type { JSX } from 'preact';
import type { Extents } from '../../src/engine/axes.ts';
import { pathWords } from '../../src/engine/paths.ts';
import type { Picture } from '../../src/stepper/picture.ts';
import type { NodeView } from '../../src/stepper/runView.ts';
import type { AccumulationView } from '../../src/stepper/stepView.ts';
import { sliceOf } from '../matrix/cells.ts';
import { Matrix } from '../matrix/Matrix.tsx';
import { plainName } from '../names.tsx';
import { bracketed, formatTogether } from '../numbers.ts';
import { request } from '../requests.ts';
import { EntryName, MatrixHeading } from './parts.tsx';

export function Accumulation({
  node,
  accumulation,
  index,
  range,
  extents,
}: {
  readonly node: NodeView;
  readonly accumulation: AccumulationView;
  readonly index: readonly number[];
  readonly range: number;
  readonly extents: Extents;
}): JSX.Element {
  const { before, contribution, after, entry, ordinal, of, path } = accumulation;
  const largest = Math.max(before.largest, contribution.largest, after.largest);
  const name = `d${plainName(node.id)}`;
  const operand = (sign: string, label: string, picture: Picture): JSX.Element => (
    <figure class="operand">
      {sign && (
        <span class="sign" aria-hidden="true">
          {sign}
        </span>
      )}
      <div>
        <figcaption>{label}</figcaption>
        <Matrix
          picture={picture}
          label={`${name} ${label}`}
          name={name}
          axes={node.axes}
          extents={extents}
          range={range}
          index={index}
          largest={largest}
          room={148}
          follows={sign !== ''}
          onSelect={(selection) => request({ type: 'select', selection })}
        />
      </div>
    </figure>
  );
  const [was, adds, is] = formatTogether(entry.before, entry.contribution, entry.after);
  return (
    <div class="block">
      <MatrixHeading
        node={node}
        what="Accumulator"
        gradient
        slice={after.slices[sliceOf(after, index)].label}
      >
        <span class="badge path">
          {of > 1 ? `contribution ${ordinal} of ${of}, ${pathWords[path]}` : 'only contribution'}
        </span>
      </MatrixHeading>
      <div class="sum-row">
        {operand('', 'before', before)}
        {operand('+', 'contribution', contribution)}
        {operand('=', 'after', after)}
      </div>
      <p class="entry-line figures">
        <EntryName id={node.id} index={index} gradient />
        <span class="equation">
          <output data-entry="before" data-value={String(entry.before)}>
            {was}
          </output>{' '}
          +{' '}
          <output data-entry="contribution" data-value={String(entry.contribution)}>
            {bracketed(adds)}
          </output>{' '}
          ={' '}
          <output data-entry="after" data-value={String(entry.after)}>
            {is}
          </output>
        </span>
      </p>
    </div>
  );
}
