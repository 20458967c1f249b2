// Plain gradcheck of a program: finite differences of its own forward against its own gradients, along one direction of
// each input. Which tensors are meant is read off the right program, by their names. Node runs the TypeScript itself.
import { nodeOf } from '../../src/engine/graph.ts';
import { scalar, tensor } from '../../src/engine/tensor.ts';
import { gathered } from '../../src/lineRun/details.ts';
import { isWhole } from '../../src/lines/align/align.ts';

/** @typedef {import('../../src/lines/recorded/recording.ts').Recording} Recording */
/** @typedef {import('../../src/lines/align/align.ts').Alignment} Alignment */
/** @typedef {{ name: string, inside: string, alignment: Alignment }} Place */

/** Steps and what may be off, by the number type of the inputs. @type {Record<string, [number, number]>} */
const STEPS = { float64: [1e-5, 1e-5], float32: [1e-2, 2e-2] };

/** @param {Recording} recording @param {number} id */
const functionOf = ({ events, statements, functions }, id) =>
  functions[statements[events[id].statement].function].name;

/** Where the right program has a node as a whole: the first or the last event of it.
 * @param {Recording} recording @param {any} judged @param {string} key @param {boolean} isLast
 * @returns {Place | null} */
function placeOf(recording, judged, key, isLast) {
  const all = judged.localised.observed.flatMap((/** @type {any} */ { event, found }) => {
    const alignment = found.find(
      (/** @type {Alignment} */ each) =>
        each.entry.key === key && each.entry.role === 'node' && isWhole(each),
    );
    return alignment && event.how !== 'argument' ? [{ event, alignment }] : [];
  });
  const one = isLast ? all.at(-1) : all[0];
  if (!one) return null;
  const { event, alignment } = one;
  return { name: event.name, inside: functionOf(recording, event.id), alignment };
}

/** The event of that name. @param {Recording} recording @param {Place | null} place @param {boolean} isLast */
function eventAt(recording, place, isLast) {
  const found = recording.events.filter(
    ({ id, name, how }) =>
      place &&
      name === place.name &&
      how !== 'argument' &&
      functionOf(recording, id) === place.inside,
  );
  return isLast ? found.at(-1) : found[0];
}

/** In the node's axis order. @param {Recording} recording @param {any} graph @param {Place} place @param {any} event */
function asNode(recording, graph, place, event) {
  const own = event && recording.tensor(event.id);
  const { length } = place.alignment.entry.data;
  return own && own.data.length === length ? gathered(graph, own, place.alignment) : null;
}

/** @param {any} a @param {any} b */
const dot = (a, b) =>
  a.data.reduce(
    (/** @type {number} */ sum, /** @type {number} */ value, /** @type {number} */ n) =>
      sum + value * b.data[n],
    0,
  );

/** The direction, as Python computes it too. @param {readonly number[]} shape */
function directionOf(shape) {
  const size = shape.reduce((product, length) => product * length, 1);
  return tensor(
    shape,
    Float64Array.from({ length: size }, (_, n) => Math.sin(1.7 * n + 0.3)),
  );
}

/** The program with one input moved behind the statement that binds it; null where that is no plain name.
 * @param {Recording} recording @param {any} event @param {number} step */
function moved(recording, event, step) {
  const { file, endLine, line, kind } = recording.statements[event.statement];
  if (recording.cells || !/^[A-Za-z_][\w.]*$/.test(event.name) || kind === 'for') return null;
  const { path, source } = recording.files[file];
  const lines = source.split('\n');
  const indent = /^\s*/.exec(lines[line - 1])?.[0] ?? '';
  const wave = `__import__("numpy").sin(1.7 * __import__("numpy").arange(__import__("numpy").prod(${event.name}.shape)) + 0.3).reshape(${event.name}.shape)`;
  const isTorch = event.grad_fn !== undefined || event.requiresGrad !== undefined;
  const change = isTorch
    ? `${event.name}.data += ${step} * __import__("torch").tensor(${wave}, dtype=${event.name}.dtype)`
    : `${event.name} += (${step} * ${wave}).astype(${event.name}.dtype)`;
  lines.splice(endLine, 0, indent + change);
  return { [path]: lines.join('\n') };
}

/**
 * Whether gradcheck sees that a program is wrong: true, false, or null where it cannot be run.
 * @param {{ right: { recording: Recording, judged: any }, wrong: Recording, graph: any, bench: import('../../src/lines/repair/bench.ts').Bench }} input
 */
export async function gradcheck({ right, wrong, graph, bench }) {
  const at = (/** @type {string} */ key, isLast = true) =>
    placeOf(right.recording, right.judged, key, isLast);
  const out = at('v:y');
  const y = out && asNode(wrong, graph, out, eventAt(wrong, out, true));
  const loss = nodeOf(graph, 'f');
  if (!out || !y || loss.kind !== 'operation') return null;
  const [upstream] = loss.operation.vjp(
    { inputs: [y], output: loss.operation.forward([y]) },
    scalar(1),
  );
  let ran = 0;
  for (const { id, kind } of graph.nodes) {
    const [leaf, slope] = kind === 'input' ? [at(`v:${id}`, false), at(`g:${id}`)] : [null, null];
    const event = eventAt(wrong, leaf, false);
    const own = slope && asNode(wrong, graph, slope, eventAt(wrong, slope, true));
    const [step, tolerance] = STEPS[event?.dtype ?? ''] ?? [0, 0];
    if (!leaf || !event || !own || step === 0) continue;
    const ys = [];
    for (const sign of [1, -1]) {
      const sources = moved(wrong, event, sign * step);
      const run = sources && (await bench.record(sources));
      const value = run && run.exit.code === 0 && asNode(run, graph, out, eventAt(run, out, true));
      if (value) ys.push(value);
    }
    if (ys.length < 2) continue;
    const difference = tensor(
      y.shape,
      ys[0].data.map((value, n) => (value - ys[1].data[n]) / 2 / step),
    );
    const [numeric, analytic] = [
      dot(upstream, difference),
      dot(own, gathered(graph, directionOf(event.shape), leaf.alignment)),
    ];
    ran++;
    const size = Math.sqrt(dot(own, own)) + Math.abs(numeric);
    if (Math.abs(numeric - analytic) > tolerance * size) return true;
  }
  return ran > 0 ? false : null;
}
