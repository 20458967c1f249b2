// Numbers that a program computes its output from and that its setup does not have: it is another attention then.
import type { Context } from './entries/builder.ts';
import { isGradientName, namesOf } from './values/names.ts';
import { isGradient, type Value, type Values } from './values/values.ts';

const baseOf = (value: Value): string => (value.events[0]?.name ?? '').replaceAll(/\d+/g, '#');

/** Learned or drawn tensors from which y was computed, and of which no entry was. */
export function unexplained({ values, model, build }: Context): Value[] {
  const y = model.output?.y ?? model.mixed?.output;
  if (!y) return [];
  const ancestors = values.ancestors(y);
  const used = [...build.used];
  const behind = new Set(used.flatMap((value) => [value.id, ...values.ancestors(value)]));
  const bases = new Set(used.map(baseOf));
  const numbers = new Set(used.flatMap(({ tensor: { data } }) => [...data]));
  // As they are, or joined of several and transposed.
  const isHeld = ({ tensor: { data } }: Value): boolean => data.every((each) => numbers.has(each));
  return values.all.filter(
    (value) =>
      ancestors.has(value.id) &&
      !behind.has(value.id) &&
      value.kind === 'float' &&
      !value.isVirtual &&
      value.grid.length === 0 &&
      // One of a list whose others are known.
      !bases.has(baseOf(value)) &&
      !namesOf(value).some((name) => isGradientName(name)) &&
      isDrawn(values, value) &&
      !isHeld(value),
  );
}

function isDrawn(values: Values, value: Value): boolean {
  const isLearned = value.events.some(
    (event) => (event.how === 'leaf' || event.requiresGrad === true) && !isGradient(event),
  );
  const isVaried = new Set(value.tensor.data).size > 2;
  return isVaried && values.isLeaf(value) && (isLearned || values.isRandom(value));
}
