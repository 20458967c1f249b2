// Forward: the value that was just computed.
import type { JSX } from 'preact';
import type { Extents } from '../../src/engine/axes.ts';
import type { NodeView } from '../../src/stepper/runView.ts';
import type { StepView } from '../../src/stepper/stepView.ts';
import { Matrix } from '../matrix/Matrix.tsx';
import { sliceOf } from '../matrix/cells.ts';
import { plainName } from '../names.tsx';
import { formatOne } from '../numbers.ts';
import { request } from '../requests.ts';
import { EntryName, MatrixHeading } from './parts.tsx';

export function Value({
  node,
  step,
  range,
  extents,
}: {
  readonly node: NodeView;
  readonly step: StepView;
  readonly range: number;
  readonly extents: Extents;
}): JSX.Element | null {
  const { value, focus } = step;
  if (!value || !focus) return null;
  const { picture, entry } = value;
  return (
    <div class="block">
      <MatrixHeading
        node={node}
        what="Value of"
        slice={picture.slices[sliceOf(picture, focus.index)].label}
      />
      <div class="sum-row">
        <figure class="operand">
          <div>
            <Matrix
              picture={picture}
              label={`value of ${plainName(node.id)}`}
              name={plainName(node.id)}
              axes={node.axes}
              extents={extents}
              range={range}
              room={256}
              index={focus.index}
              onSelect={(selection) => request({ type: 'select', selection })}
            />
          </div>
        </figure>
      </div>
      {node.shape.length > 0 && (
        <p class="entry-line figures">
          <EntryName id={node.id} index={focus.index} />
          <span class="equation">
            = <output data-value={String(entry)}>{formatOne(entry)}</output>
          </span>
        </p>
      )}
    </div>
  );
}
