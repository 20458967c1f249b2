// Backward: the accumulator before + this contribution = the accumulator after, as matrices and at one entry.
import type { JSX } from 'preact';
import type { Extents } from '../../src/engine/axes.ts';
import { pathWords } from '../../src/engine/paths.ts';
import type { NodeView } from '../../src/stepper/runView.ts';
import type { AccumulationView } from '../../src/stepper/stepView.ts';
import { sliceOf } from '../matrix/cells.ts';
import { plainName } from '../names.tsx';
import { bracketed, formatTogether } from '../numbers.ts';
import { MatrixRow } from './MatrixRow.tsx';
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
          {of > 1
            ? `contribution ${ordinal} of ${of} to ${name}, ${pathWords[path]}`
            : `the only contribution to ${name}`}
        </span>
      </MatrixHeading>
      <MatrixRow
        operands={[
          { sign: '', label: 'before', picture: before, range },
          { sign: '+', label: 'contribution', picture: contribution, range },
          { sign: '=', label: 'after', picture: after, range },
        ]}
        {...{ name, node, extents, index, largest }}
      />
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
