// The person's own tensor of what this step shows: yours, the reference and the difference, and what it is judged.
import type { JSX } from 'preact';
import type { Extents } from '../../src/engine/axes.ts';
import type { NodeReport } from '../../src/compare/report.ts';
import type { NodeView } from '../../src/stepper/runView.ts';
import type { SideBySideView, StepView } from '../../src/stepper/stepView.ts';
import { endOf, type Ranges } from '../matrix/ranges.ts';
import { plainName } from '../names.tsx';
import { formatOne } from '../numbers.ts';
import { request } from '../requests.ts';
import { comparison } from '../state.ts';
import { MatrixRow } from '../step/MatrixRow.tsx';
import { EntryName, MatrixHeading } from '../step/parts.tsx';
import { statusWords } from './Verdicts.tsx';

export function SideBySide({
  node,
  focus,
  mine,
  ranges,
  extents,
}: {
  readonly node: NodeView;
  readonly focus: NonNullable<StepView['focus']>;
  readonly mine: SideBySideView;
  readonly ranges: Ranges | null;
  readonly extents: Extents;
}): JSX.Element {
  const { yours, reference, difference, entry, worst } = mine;
  const gradient = focus.kind === 'gradient';
  const name = `${gradient ? 'd' : ''}${plainName(node.id)}`;
  const judged = comparison.value?.report?.nodes.find(
    (each) => each.node === node.id && each.kind === focus.kind,
  );
  // Rounding is not painted as if it were a mistake.
  const isRight = judged?.status === 'match' || judged?.status === 'layout';
  const range = endOf(reference, ranges, focus.kind);
  const ownRange = isRight || difference.largest === 0 ? range : difference.range;
  const largest = Math.max(yours.largest, reference.largest);
  return (
    <div class="block side-by-side">
      <MatrixHeading node={node} what="Your" gradient={gradient} slice={yours.slices[0].label}>
        {judged && <Judgement {...judged} />}
      </MatrixHeading>
      <MatrixRow
        operands={[
          { sign: '', label: 'yours', picture: yours, range },
          { sign: '−', label: 'reference', picture: reference, range },
          { sign: '=', label: 'difference', picture: difference, range: ownRange },
        ]}
        index={focus.index}
        {...{ name, node, extents, largest }}
      />
      <p class="entry-line figures">
        <EntryName id={node.id} index={focus.index} gradient={gradient} />
        <span class="equation">
          <output data-entry="yours" data-value={String(entry.yours)}>
            {formatOne(entry.yours)}
          </output>{' '}
          instead of{' '}
          <output data-entry="reference" data-value={String(entry.reference)}>
            {formatOne(entry.reference)}
          </output>
        </span>
        {worst && !isRight && (
          <button
            type="button"
            class="link"
            onClick={() => request({ type: 'select', selection: worst.selection })}
          >
            largest difference at [{worst.index.join(', ')}]
          </button>
        )}
      </p>
      <p class="quiet">
        {mine.name !== name && `You call it ${mine.name}. `}
        {isRight
          ? `The largest difference, ${formatOne(difference.largest)}, is rounding.`
          : `Colours of the difference end at ±${formatOne(difference.range)}.`}
      </p>
      {judged?.note && <p class="quiet">{judged.note}</p>}
    </div>
  );
}

function Judgement({ status }: NodeReport): JSX.Element {
  return <span class={`badge verdict ${status}`}>{statusWords[status]}</span>;
}
