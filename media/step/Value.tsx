// Forward: the value that was just computed.
import type { JSX } from 'preact';
import type { Extents } from '../../src/engine/axes.ts';
import type { NodeView } from '../../src/stepper/runView.ts';
import type { StepView } from '../../src/stepper/stepView.ts';
import { Matrix } from '../matrix/Matrix.tsx';
import { endOf, type Ranges } from '../matrix/ranges.ts';
import { plainName } from '../names.tsx';
import { formatOne } from '../numbers.ts';
import { isSideBySide } from '../page/room.ts';
import { request } from '../requests.ts';
import { EntryName, MatrixHeading } from './parts.tsx';

export function Value({
  node,
  step,
  ranges,
  extents,
}: {
  readonly node: NodeView;
  readonly step: StepView;
  readonly ranges: Ranges | null;
  readonly extents: Extents;
}): JSX.Element | null {
  const { value, focus } = step;
  if (!value || !focus) return null;
  const { picture, entry } = value;
  return (
    <div class="block">
      <MatrixHeading node={node} what="Value of" slice={picture.slices[0].label} />
      <div class="sum-row">
        <figure class="operand">
          <div>
            <Matrix
              picture={picture}
              label={`value of ${plainName(node.id)}`}
              name={plainName(node.id)}
              axes={node.axes}
              extents={extents}
              range={endOf(picture, ranges, 'value')}
              room={isSideBySide.value ? 190 : 150}
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
