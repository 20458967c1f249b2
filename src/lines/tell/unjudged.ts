// What a run that comes out right does not say: gradients that no tensor is, other calls, gradients of something else.
import { sizeOf } from '../../engine/tensor.ts';
import type { Catalogue } from '../align/catalogue.ts';
import { cone, handedOn } from '../recorded/flow.ts';
import { goalsOf } from '../localise/goals.ts';
import { isGradientName } from '../infer/values/names.ts';
import type { Localised } from '../localise/localise.ts';
import { isNamedGradient, type Observed } from '../align/observe.ts';
import { placeText } from '../recorded/place.ts';
import type { Recording } from '../recorded/recording.ts';

const MOST = 4;

/** Lines that each begin with what was not judged, or was alone. */
export function unjudgedOf(
  recording: Recording,
  catalogue: Catalogue,
  localised: Localised,
): string[] {
  if (localised.verdict !== 'match') return [];
  return [
    ...missing(catalogue, localised),
    ...otherCalls(recording, localised),
    ...otherGradients(recording, localised),
  ];
}

/** Gradients of inputs that the program computed none of, or did not hand out whole. */
function missing({ graph }: Catalogue, { covered, observed }: Localised): string[] {
  // Inputs that are no weights need none.
  const gradients = goalsOf(graph).filter((goal) => /^g:(?!x)/.test(goal));
  const open = gradients.filter((goal) => !covered.has(goal));
  if (open.length === 0) return [];
  const hasGradients = observed.some(({ standing, found }) =>
    found.some(({ entry: { key } }) => standing === 'right' && /^g:(?!y$|f$)/.test(key)),
  );
  if (!hasGradients) return ['the forward pass alone was judged: no gradient was recognised'];
  const names = open.map((goal) => `d${goal.slice(2)}`).join(', ');
  return [`not judged: ${names}, which no recorded tensor is`];
}

const WEIGHTS = /^v:(S|Z|M|P|Pd)$/;

/** Calls of the function that computes the weights in which none of them is that of this setup. */
function otherCalls(
  { events, statements, functions }: Recording,
  { observed }: Localised,
): string[] {
  const frames = new Map<number, Map<number, boolean>>();
  for (const { event, found } of observed) {
    const { function: of } = statements[event.statement];
    if (event.frame === 0 || event.how === 'gradient') continue;
    const own = frames.get(of) ?? new Map<number, boolean>();
    const isOne = found.some(({ entry }) => WEIGHTS.test(entry.key));
    own.set(event.frame, isOne || (own.get(event.frame) ?? false));
    frames.set(of, own);
  }
  for (const [of, calls] of frames) {
    const judged = [...calls.values()].filter(Boolean).length;
    if (judged === 0 || judged === calls.size) continue;
    const isWhole = [...calls].every(
      ([frame, isOne]) => isOne || events.some((each) => isTensorOf(each, frame)),
    );
    if (isWhole)
      return [
        `${judged} of ${calls.size} calls of ${functions[of].name} ${judged === 1 ? 'was' : 'were'} judged: the setup describes no other`,
      ];
  }
  return [];
}

const isTensorOf = ({ frame, how, shape }: Recording['events'][number], own: number): boolean =>
  frame === own && how === 'bind' && shape.length > 1;

/** What is named as a gradient, was computed from right ones, and is of nothing that the setup has. */
function otherGradients(recording: Recording, { observed, flow }: Localised): string[] {
  const { statements, files } = recording;
  const last = new Map<string, number>();
  // Of sums over several runs the last is one.
  const known = new Set<string>();
  for (const { event, standing } of observed) {
    const { id, name, frame, statement } = event;
    last.set(`${frame} ${name}`, id);
    if (standing === 'right') known.add(`${statement} ${name}`);
  }
  const right = observed.flatMap(({ event, found, standing }) =>
    standing === 'right' && found.some(({ entry }) => entry.kind === 'gradient') ? [event.id] : [],
  );
  const after = cone(flow, right);
  const isOther = ({ event, standing }: Observed): boolean =>
    standing === 'off' &&
    after.has(event.id) &&
    sizeOf(event.shape) > 1 &&
    /^(bind|update|loop-end)$/.test(event.how) &&
    (isGradientName(event.name) || isNamedGradient(event)) &&
    last.get(`${event.frame} ${event.name}`) === event.id &&
    !known.has(`${event.statement} ${event.name}`) &&
    handedOn(recording, event) === null;
  const places = new Map<string, string>();
  for (const each of observed) {
    if (!isOther(each)) continue;
    const { name, statement } = each.event;
    const { file, line, cell } = statements[statement];
    const at = placeText({ file: files[file].path, line, cell });
    places.set(name, `${name} (${at})`);
  }
  if (places.size === 0) return [];
  const all = [...places.values()];
  const rest = all.length > MOST ? `, and ${all.length - MOST} more` : '';
  return [`not judged, as the setup has no such node: ${all.slice(0, MOST).join(', ')}${rest}`];
}
