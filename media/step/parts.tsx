// Small pieces that the blocks of a step share: an entry's name and a matrix's heading.
import type { JSX } from 'preact';
import type { NodeView } from '../../src/stepper/runView.ts';
import { Name } from '../names.tsx';

/** "dx′[0, 1]". */
export function EntryName({
  id,
  index,
  gradient = false,
}: {
  readonly id: string;
  readonly index: readonly number[];
  readonly gradient?: boolean;
}): JSX.Element {
  return (
    <span class="entry-name">
      <Name id={id} gradient={gradient} />
      {index.length > 0 && <span class="index">[{index.join(', ')}]</span>}
    </span>
  );
}

export function MatrixHeading({
  node,
  what,
  gradient = false,
  slice,
  children,
}: {
  readonly node: NodeView;
  readonly what: string;
  readonly gradient?: boolean;
  /** Which head is shown. */
  readonly slice: string;
  readonly children?: JSX.Element | string;
}): JSX.Element {
  const axes = node.axes.slice(-2);
  return (
    <h2 class="section-title">
      <span>
        {what} <Name id={node.id} gradient={gradient} />
      </span>
      {slice && <span class="badge">{slice}</span>}
      {children}
      <span class="hint">
        {axes.length === 0
          ? 'a scalar'
          : axes.length === 1
            ? axes[0]
            : // An arrow stays beside its axis.
              `${axes[0]}\u00a0↓ × ${axes[1]}\u00a0→`}
      </span>
    </h2>
  );
}
