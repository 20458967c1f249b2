// Arrays that a program makes to be filled: nothing is computed from what they are made like, nor told by what is in them.
import { followed } from '../../recorded/flow.ts';
import type { Event, Recording } from '../../recorded/recording.ts';
import type { Value } from './values.ts';

/** Whether a statement makes arrays like others and computes nothing. */
export function takesShapesAlone(text: string): boolean {
  const rest = text.replaceAll(
    /\b\w*(?:_like|empty|zeros|ones)\([^()]*(?:\([^()]*\)[^()]*)*\)/g,
    '',
  );
  return rest.length < text.length && /_like\(/.test(text) && !/[@+*/%&|-]/.test(rest);
}

const EMPTY = /\bempty(?:_like|_strided)?\(|\bnew_empty\(/;

/** Whether a call is told to put its result there, and not into a part of it. */
function isResult({ how, statement, name }: Event, { statements }: Recording): boolean {
  const [, after] = statements[statement].text.replaceAll(/\s/g, '').split(`out=${name}`);
  return how === 'update' && after !== undefined && !/^[\w.[]/.test(after);
}

/**
 * Whether a value is memory as it was found, or in which not all may be written yet, and nothing else: by chance it looks
 * like a mask.
 */
export const isUninitialised = ({ events }: Value, recording: Recording): boolean =>
  events.every((event) => {
    const { how, statement } = recording.events[followed(recording.events, event.id)];
    const { text } = recording.statements[statement];
    const isMade = how === 'bind' || how === 'return';
    if (!isMade || !EMPTY.test(text) || /@|matmul|einsum|\bdot\(/.test(text)) return false;
    // A call that is told where to put its result fills it whole.
    if (isResult(event, recording)) return false;
    if (event.how !== 'write' && event.how !== 'update') return event.how !== 'loop-end';
    return recording.events.some(
      ({ alias, how: next }) => alias === event.id && (next === 'write' || next === 'update'),
    );
  });

/** Whether numbers lie one after the other in a flat buffer. */
export function isPartOf(own: Float64Array, whole: Float64Array): boolean {
  const start = whole.indexOf(own[0]);
  return start >= 0 && own.every((each, n) => each === whole[start + n]);
}
