// Matrices beside each other with signs between them: before + contribution = after, yours − reference = difference.
import type { JSX } from 'preact';
import type { Extents } from '../../src/engine/axes.ts';
import type { Picture } from '../../src/stepper/picture.ts';
import type { NodeView } from '../../src/stepper/runView.ts';
import { Matrix, mayHaveNumbers, roomAmongThree, widestCell } from '../matrix/Matrix.tsx';
import { request } from '../requests.ts';

export interface Operand {
  /** Before it; '' for the first. */
  readonly sign: string;
  readonly label: string;
  readonly picture: Picture;
  /** What the ends of its colour scale stand for. */
  readonly range: number;
}

export function MatrixRow({
  operands,
  name,
  node,
  extents,
  index,
  largest,
}: {
  readonly operands: readonly Operand[];
  /** "dS". */
  readonly name: string;
  readonly node: NodeView;
  readonly extents: Extents;
  readonly index: readonly number[];
  /** Of all their numbers, which get the same decimals. */
  readonly largest: number;
}): JSX.Element {
  const pictures = operands.map(({ picture }) => picture);
  const crowded =
    pictures.length > 1 && pictures.every(mayHaveNumbers) ? widestCell(pictures, largest) : 0;
  return (
    <div class="sum-row">
      {operands.map(({ sign, label, picture, range }) => (
        <figure key={label} class="operand">
          {sign && (
            <span class="sign" aria-hidden="true">
              {sign}
            </span>
          )}
          <div>
            {label && <figcaption>{label}</figcaption>}
            <Matrix
              picture={picture}
              label={`${name} ${label}`.trim()}
              name={name}
              axes={node.axes}
              extents={extents}
              range={range}
              index={index}
              largest={largest}
              room={roomAmongThree()}
              crowded={crowded}
              follows={sign !== ''}
              onSelect={(selection) => request({ type: 'select', selection })}
            />
          </div>
        </figure>
      ))}
    </div>
  );
}
