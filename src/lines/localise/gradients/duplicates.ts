// `a[index] += b` with an index that names an entry more than once: NumPy and PyTorch add the last of them alone.
import { handedOn } from '../../recorded/flow.ts';
import { isInteger } from '../../recorded/recording.ts';
import type { Wrong } from '../localise.ts';
import type { Field } from '../suspects.ts';

/** One axis that is picked from by name, the others whole or by slices. */
const PICKED =
  /\[\s*(?:[^[\],]*:[^[\],]*,\s*)*([A-Za-z_][\w.]*)\s*(?:,[^[\],]*:[^[\],]*)*\]\s*[+-]=/s;

const REPEATED =
  'the index names some entries more than once, of which only the last is added: np.add.at or index_add_ adds all';

/** All statements that add parts of right gradients so, the first run of each. */
export function duplicateIndices({ recording, observed, flow }: Field): Wrong[] {
  const { events, statements } = recording;
  const found = new Map<number, Wrong>();
  for (const { id, how, index, statement, reads } of events) {
    if (how !== 'write' || index !== 'fancy' || found.has(statement)) continue;
    const [, name] = PICKED.exec(statements[statement].text) ?? [];
    const picked = reads.find((read) => {
      const { shape, name: own } = events[read];
      return shape.length > 0 && isInteger(events[read]) && own === name;
    });
    const places = picked === undefined ? null : recording.tensor(picked)?.data;
    if (!places || new Set(places).size === places.length) continue;
    const isOfGradient = flow.sources[id].some(
      (source) =>
        handedOn(recording, events[id]) !== source &&
        observed[source].standing === 'right' &&
        observed[source].found.some(({ entry }) => entry.kind === 'gradient'),
    );
    if (!isOfGradient) continue;
    found.set(statement, { event: id, seen: id, node: null, kind: 'other', note: REPEATED });
  }
  return [...found.values()];
}
