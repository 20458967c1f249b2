// Where NaN begins in a program that goes wrong, and of a row of scores of which all keys are hidden that it is that.
import type { Tensor } from '../../engine/tensor.ts';
import type { Localised } from '../localise/localise.ts';
import { cone } from '../recorded/flow.ts';
import { placeText } from '../recorded/place.ts';
import type { Recording } from '../recorded/recording.ts';

const hasNaN = (tensor: Tensor | null): boolean => tensor?.data.some(Number.isNaN) ?? false;

/** The first row of which all keys are hidden, along the last axis; null where none is. */
function blindRow({ shape, data }: Tensor): number | null {
  const width = shape.at(-1) ?? 1;
  if (shape.length < 2 || width < 2) return null;
  for (let row = 0; row < data.length / width; row++)
    if (data.subarray(row * width, (row + 1) * width).every((value) => value === -Infinity))
      return row % shape[shape.length - 2];
  return null;
}

/** One line at most. */
export function notNumbers(recording: Recording, { wrong, flow, verdict }: Localised): string[] {
  if (verdict !== 'diverges') return [];
  const { events, statements, files } = recording;
  const seen = wrong.map(({ event }) => event);
  const after = [...cone(flow, seen)].sort((a, b) => a - b);
  const born = after.find((id) => {
    const isFloat = /^b?float/.test(events[id].dtype) && events[id].shape.length > 0;
    return isFloat && hasNaN(recording.tensor(id));
  });
  if (born === undefined) return [];
  const { name, statement } = events[born];
  const { file, line, cell } = statements[statement];
  const at = placeText({ file: files[file].path, line, cell });
  const rows = flow.sources[born].flatMap((id) => {
    const tensor = recording.tensor(id);
    const row = tensor && blindRow(tensor);
    return row === null ? [] : [row];
  });
  const why =
    rows.length > 0
      ? `: every key of query ${rows[0]} is masked, and the softmax of nothing but −∞ is 0/0`
      : '';
  return [`${name} is NaN from ${at} on${why}`];
}
