// The gradient that a program passes back into its attention, where what comes after the attention is not known.
import { ConfigError, type HeadConfig } from '../../../engine/config.ts';
import { hasNode } from '../../../engine/graph.ts';
import { buildGraph } from '../../../engine/heads/build.ts';
import { run } from '../../../engine/run.ts';
import type { Tensor } from '../../../engine/tensor.ts';
import { type Context, nameOf } from '../entries/builder.ts';
import { gather } from '../values/layout.ts';
import { type FoundLoss, gradientsOf, type Output, type Placed } from './loss.ts';
import { isGradientName, namesOf } from '../values/names.ts';
import { isGradient, type Value } from '../values/values.ts';

/** So many tensors are tried; larger problems are left. */
const MOST = 40;
const LARGEST = 2e5;

/** Gradients that are made of y's alone and of what the forward pass has. */
const NEXT = ['W_O', 'C', 'O', 'Vh', 'V', 'P', 'Pd'];

/** The tensor of y's shape from which the program computes the next gradients as it would from the gradient of y. */
export function passedBack(context: Context, output: Output): FoundLoss | null {
  const { values, config } = context;
  if (output.y.data.length > LARGEST) return null;
  const seen = new Set<Value>();
  const candidates = gradientsOf(values, output).filter(({ value }) => {
    const isNew = !seen.has(value) && !value.parts.some(isGradient) && value.grid.length === 0;
    seen.add(value);
    return isNew && !output.family.includes(value);
  });
  let best: { readonly given: Placed; readonly count: number } | null = null;
  for (const given of candidates.slice(0, MOST)) {
    const count = nextOf(context, config, given);
    if (count > (best?.count ?? 0)) best = { given, count };
  }
  if (!best) return null;
  const { given } = best;
  const unseen = targetIn(context, output, given);
  if (unseen) {
    const note = `${nameOf(given.value)}: what y is more than it`;
    return { kind: 'target', unseen, factor: 1, from: given.value, sure: true, note };
  }
  const note = `${nameOf(given.value)}: what is passed back into the attention`;
  const from = given.value;
  return { kind: 'upstream', given, factor: 1, from, sure: true, isRecorded: true, note };
}

/** A difference of a name and what is read from a file, a dict or the like. */
const DIFFERENCE = /^[\w.]+\s*=\s*[\w.]+\s*-\s*[\w.]+(?:\[[^\]]*\]|\([^()]*\))+$/;

/** What was taken off y in the statement that made its gradient, where that is no tensor that was recorded. */
function targetIn({ values }: Context, { y, family }: Output, given: Placed): Tensor | null {
  const [event, ...others] = given.value.parts;
  const { text } = values.recording.statements[event.statement];
  if (others.length > 0 || !DIFFERENCE.test(text.trim())) return null;
  const read = values.sources(event).flatMap(({ id }) => values.ofEvent(id) ?? []);
  if (read.length === 0 || !read.every((value) => family.includes(value))) return null;
  const dy = gather(given.value.tensor, given.layout).data;
  return { shape: y.shape, data: y.data.map((value, n) => value - dy[n]) };
}

/** How many of the next gradients the program computes from a tensor. */
function nextOf({ values, model }: Context, config: HeadConfig, given: Placed): number {
  const G = gather(given.value.tensor, given.layout);
  try {
    const graph = buildGraph({ ...config, loss: { kind: 'upstream', G } });
    const { gradients } = run(graph);
    return NEXT.filter((id) => {
      const own = hasNode(graph, id) ? gradients.get(id) : undefined;
      if (!own) return false;
      return model.lookup
        .find(own, given.value.eps)
        .some((value) => value !== given.value && values.descends(value, given.value));
    }).length;
  } catch (error) {
    if (error instanceof ConfigError) return 0;
    throw error;
  }
}

const PRODUCT = /@|\b(matmul|einsum|bmm|mm|dot|tensordot|linear)\b|\w\(/;

/** Whether y goes on into something that no entry describes: a statement reads both it and a weight that is not known. */
export function goesOn({ values, build }: Context, output: Output, given?: Value): boolean {
  const { events, statements } = values.recording;
  const isOfOutput = (value: Value): boolean =>
    output.family.includes(value) || output.family.some((y) => values.descends(value, y));
  const isOther = (value: Value, text: string): boolean =>
    value.kind === 'float' &&
    value !== given &&
    !build.used.has(value) &&
    values.isLeaf(value) &&
    (values.isRandom(value) || value.parts.some(({ how }) => how === 'leaf')) &&
    !value.parts.some(isGradient) &&
    !namesOf(value).some((name) => isGradientName(name)) &&
    (value.tensor.data.length !== output.y.data.length || PRODUCT.test(text));
  return events.some(({ how, name, id, reads, shape, statement }) => {
    if (id <= output.time || shape.length === 0 || how === 'gradient' || how === 'leaf')
      return false;
    if (isGradientName(name)) return false;
    const read = reads.flatMap((each) => values.ofEvent(each) ?? []);
    const { text } = statements[statement];
    return read.some((value) => isOther(value, text)) && read.some(isOfOutput);
  });
}
