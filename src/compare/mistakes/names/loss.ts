// The start of the backward pass: another loss, its target or upstream gradient left out.
import { familyOf, rowsOf } from '../table.ts';

export const loss = familyOf([
  ...rowsOf(`
dy upstream-of-ones: the backward pass starts with ones
  1
dy upstream-is-y: the backward pass starts with y
  y
dy upstream-mean: the backward pass starts with the gradient of mean(y)
  1 / N
dy upstream-sign: the backward pass starts with the sign of y
  sign(y)
dy loss-target-sign: the target is added instead of subtracted
  y + target
dy upstream-is-target: the backward pass starts with −target: y is left out
  -target
dy upstream-is-target: the backward pass starts with the target
  target
dy loss-absolute: the backward pass starts with the gradient of absolute errors (L1 loss)
  sign(y - target)
dy loss-absolute: the backward pass starts with the gradient of absolute errors (L1 loss)
  sign(y - target) / N
`),
  ...rowsOf(
    `
f loss-sum: f is the sum of y
  sum_y(y)
f loss-of-mean: f is the mean of y
  mean_y(y)
f loss-squares: f is the sum of squares
  sum_y(y^2)
f loss-mean-of-squares: f is the mean of squares
  mean_y(y^2)
f loss-half-squares: f is half the sum of squares
  sum_y(y^2) / 2
f loss-norm: f is the norm of y
  sqrt(sum_y(y^2))
f loss-absolute: f is the sum of absolute errors (L1 loss), not half the squared error
  sum_y(abs(y - target))
f loss-absolute: f is the mean of absolute errors (L1 loss), not half the squared error
  mean_y(abs(y - target))
f loss-norm: f is the norm of the error, not half its square
  sqrt(sum_y((y - target)^2))
f loss-root-mean-square: f is the root of the mean squared error
  sqrt(mean_y((y - target)^2))
f loss-huber: f is a smooth L1 (Huber) loss
  e = y - target; c = 2 * clip((e + 1) / 2) - 1; sum_y(c * e - c^2 / 2)
`,
    { cost: 1.2 },
  ),
]);
