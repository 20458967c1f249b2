// The scalar at the end of every head: f = f(y).
import type { AxisLetters, Extents } from '../axes.ts';
import { shapeOf } from '../axes.ts';
import { ConfigError, type HeadConfig } from '../config.ts';
import type { GraphBuilder } from '../graph.ts';
import {
  halfSquaredError,
  halfSquaredNorm,
  loss,
  type ScalarFunction,
  weightedSum,
} from '../ops/loss.ts';
import { expressionLoss } from '../ops/expressionLoss.ts';
import { formatShape, sameShape, type Tensor } from '../tensor.ts';

function lossFunction({ loss: own }: HeadConfig, shape: readonly number[]): ScalarFunction {
  const fits = (entry: string, value: Tensor): Tensor => {
    if (sameShape(value.shape, shape)) return value;
    throw new ConfigError(
      entry,
      `found shape ${formatShape(value.shape)}, expected ${formatShape(shape)}, the shape of y`,
    );
  };
  switch (own.kind) {
    case 'half-squared-norm':
      return halfSquaredNorm;
    case 'upstream':
      return weightedSum(fits('loss.upstream', own.G));
    case 'target':
      return halfSquaredError(fits('loss.target', own.T));
    case 'expression': {
      for (const [name, value] of Object.entries(own.constants)) {
        if (value.shape.length > 0) fits(`loss.constants.${name}`, value);
      }
      return expressionLoss(own.expression, own.constants);
    }
  }
}

export function addLoss(
  graph: GraphBuilder,
  config: HeadConfig,
  axes: readonly AxisLetters[],
  extents: Extents,
): void {
  graph.node('f', [], loss(axes, lossFunction(config, shapeOf(axes, extents))), ['y']);
}
