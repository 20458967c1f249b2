// The start of the backward pass: another loss, its target or upstream gradient left out.
import { map, scalar, type Tensor } from '../../engine/tensor.ts';
import type { State } from '../program.ts';
import type { Edit, Family } from './edit.ts';
import { gradientEdit, stepEdit } from './make.ts';

export const loss: Family = (site) => {
  const { node, kind, config } = site;
  if (kind === 'gradient' && node.id === 'y') {
    const edit = (
      id: string,
      title: string,
      wrong: string,
      of: (y: Tensor, state: State) => Tensor,
    ): Edit =>
      gradientEdit(
        site,
        'y',
        { id, title, why: `dy is exactly ${wrong}.`, wrong: `dy = ${wrong}` },
        (_, state) => of(state.value('y'), state),
      );
    const edits = [
      edit('upstream-of-ones', 'the backward pass starts with ones', '1 in every entry', (y) =>
        map(y, () => 1),
      ),
      edit('upstream-is-y', 'the backward pass starts with y', 'y', (y) => y),
      edit(
        'upstream-mean',
        'the backward pass starts with the gradient of mean(y)',
        '1/N in every entry',
        (y) => map(y, () => 1 / y.data.length),
      ),
      edit('upstream-sign', 'the backward pass starts with the sign of y', 'sign(y)', (y) =>
        map(y, Math.sign),
      ),
    ];
    if (config.loss.kind === 'target') {
      const { T } = config.loss;
      edits.push(
        edit('loss-target-sign', 'the target is added instead of subtracted', 'y + target', (y) =>
          map(y, (value, at) => value + T.data[at]),
        ),
        edit(
          'upstream-is-target',
          'the backward pass starts with −target: y is left out',
          '−target',
          () => map(T, (value) => -value),
        ),
        edit('upstream-is-target', 'the backward pass starts with the target', 'target', () => T),
        ...[1, 1 / T.data.length].map((factor) =>
          edit(
            'loss-absolute',
            'the backward pass starts with the gradient of absolute errors (L1 loss)',
            factor === 1 ? 'sign(y − target)' : 'sign(y − target) / N',
            (y) => map(y, (value, at) => factor * Math.sign(value - T.data[at])),
          ),
        ),
      );
    }
    return edits;
  }
  if (kind !== 'value' || node.id !== 'f') return [];
  /** Losses of y, or of its distance from a target. */
  const lossOf =
    (target?: Float64Array) =>
    (
      id: string,
      title: string,
      wrong: string,
      value: (distance: Float64Array) => number,
      slope: (entry: number, distance: Float64Array) => number,
    ): Edit => {
      const from = ({ data }: Tensor): Float64Array =>
        target ? data.map((entry, at) => entry - target[at]) : data;
      return stepEdit(
        site,
        'f',
        { id, title, why: `f is exactly ${wrong}.`, wrong: `f = ${wrong}`, cost: 1.2 },
        () => ({
          name: 'loss',
          forward: ([y]) => scalar(value(from(y))),
          vjp: ({ inputs: [y] }, upstream) => {
            const distance = from(y);
            return [map(y, (_, at) => slope(distance[at], distance) * upstream.data[0])];
          },
        }),
      );
    };
  const edit = lossOf();
  const sum = (y: Float64Array, of: (entry: number) => number): number =>
    y.reduce((total, entry) => total + of(entry), 0);
  const square = (entry: number): number => entry * entry;
  return [
    edit(
      'loss-sum',
      'f is the sum of y',
      'Σ y',
      (y) => sum(y, (entry) => entry),
      () => 1,
    ),
    edit(
      'loss-of-mean',
      'f is the mean of y',
      'mean(y)',
      (y) => sum(y, (entry) => entry) / y.length,
      (_, y) => 1 / y.length,
    ),
    edit(
      'loss-squares',
      'f is the sum of squares',
      'Σ y²',
      (y) => sum(y, square),
      (entry) => 2 * entry,
    ),
    edit(
      'loss-mean-of-squares',
      'f is the mean of squares',
      'mean(y²)',
      (y) => sum(y, square) / y.length,
      (entry, y) => (2 * entry) / y.length,
    ),
    edit(
      'loss-half-squares',
      'f is half the sum of squares',
      'Σ y² / 2',
      (y) => sum(y, square) / 2,
      (entry) => entry,
    ),
    edit(
      'loss-norm',
      'f is the norm of y',
      '‖y‖',
      (y) => Math.sqrt(sum(y, square)),
      (entry, y) => entry / Math.sqrt(sum(y, square)),
    ),
    ...(config.loss.kind === 'target' ? ofTarget(config.loss.T.data) : []),
  ];

  /** Other losses of the distance from the target. */
  function ofTarget(T: Float64Array): Edit[] {
    const of = lossOf(T);
    return [
      of(
        'loss-absolute',
        'f is the sum of absolute errors (L1 loss), not half the squared error',
        'Σ |y − target|',
        (d) => sum(d, Math.abs),
        Math.sign,
      ),
      of(
        'loss-absolute',
        'f is the mean of absolute errors (L1 loss), not half the squared error',
        'mean |y − target|',
        (d) => sum(d, Math.abs) / d.length,
        (e, d) => Math.sign(e) / d.length,
      ),
      of(
        'loss-norm',
        'f is the norm of the error, not half its square',
        '‖y − target‖',
        (d) => Math.sqrt(sum(d, square)),
        (e, d) => e / Math.sqrt(sum(d, square)),
      ),
      of(
        'loss-root-mean-square',
        'f is the root of the mean squared error',
        '√mean((y − target)²)',
        (d) => Math.sqrt(sum(d, square) / d.length),
        (e, d) => e / Math.sqrt(sum(d, square) * d.length),
      ),
      of(
        'loss-huber',
        'f is a smooth L1 (Huber) loss',
        'Σ huber(y − target)',
        (d) => sum(d, (e) => (Math.abs(e) < 1 ? (e * e) / 2 : Math.abs(e) - 0.5)),
        (e) => Math.max(-1, Math.min(1, e)),
      ),
    ];
  }
};
