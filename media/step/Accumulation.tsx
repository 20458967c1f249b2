// Backward: the accumulator before + this contribution = the accumulator after; a first contribution stands alone.
import type { JSX } from 'preact';
import type { Extents } from '../../src/engine/axes.ts';
import { pathWords } from '../../src/engine/paths.ts';
import type { NodeView } from '../../src/stepper/runView.ts';
import type { AccumulationView } from '../../src/stepper/stepView.ts';
import type { Picture } from '../../src/stepper/picture.ts';
import { endOf, type Ranges } from '../matrix/ranges.ts';
import { plainName } from '../names.tsx';
import { bracketed, formatOne, formatTogether } from '../numbers.ts';
import { MatrixRow, type Operand } from './MatrixRow.tsx';
import { EntryName, MatrixHeading } from './parts.tsx';

export function Accumulation({
  node,
  accumulation,
  index,
  ranges,
  extents,
}: {
  readonly node: NodeView;
  readonly accumulation: AccumulationView;
  readonly index: readonly number[];
  readonly ranges: Ranges | null;
  readonly extents: Extents;
}): JSX.Element {
  const { before, contribution, after, entry, ordinal, of, path } = accumulation;
  const name = `d${plainName(node.id)}`;
  const range = endOf(after, ranges, 'gradient');
  const shown = (sign: string, label: string, picture: Picture): Operand => ({
    ...{ sign, label, picture, range },
  });
  const operands = before
    ? [
        shown('', 'before', before),
        shown('+', 'contribution', contribution),
        shown('=', 'after', after),
      ]
    : [shown('', '', contribution)];
  return (
    <div class="block">
      <MatrixHeading node={node} what="Gradient" gradient slice={after.slices[0].label}>
        <span class="badge path">
          {of > 1 ? `contribution ${ordinal} of ${of}, ${pathWords[path]}` : 'only contribution'}
        </span>
      </MatrixHeading>
      <MatrixRow
        largest={Math.max(...operands.map(({ picture }) => picture.largest))}
        {...{ operands, name, node, extents, index }}
      />
      <p class="entry-line figures">
        <EntryName id={node.id} index={index} gradient />
        {before ? <SumOfEntry {...entry} /> : <OnlyEntry {...entry} />}
      </p>
    </div>
  );
}

type Entry = AccumulationView['entry'];

function SumOfEntry({ before, contribution, after }: Entry): JSX.Element {
  const [was, adds, is] = formatTogether(before, contribution, after);
  return (
    <span class="equation">
      ={' '}
      <output data-entry="before" data-value={String(before)}>
        {was}
      </output>{' '}
      +{' '}
      <output data-entry="contribution" data-value={String(contribution)}>
        {bracketed(adds)}
      </output>{' '}
      ={' '}
      <output data-entry="after" data-value={String(after)}>
        {is}
      </output>
    </span>
  );
}

function OnlyEntry({ contribution }: Entry): JSX.Element {
  return (
    <span class="equation">
      ={' '}
      <output data-entry="contribution" data-value={String(contribution)}>
        {formatOne(contribution)}
      </output>
    </span>
  );
}
