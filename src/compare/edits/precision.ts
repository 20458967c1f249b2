// A step in a narrower number type than the rest: weights kept in bfloat16, gradients summed in float16.
import { type NodeId, nodeOf, tensorName } from '../../engine/graph.ts';
import { largestMagnitude, map, type Tensor } from '../../engine/tensor.ts';
import {
  BFLOAT16,
  FLOAT16,
  FLOAT32,
  FLOAT64,
  narrowestType,
  type NumberType,
} from '../reference/dtypes.ts';
import { difference } from '../judge/judge.ts';
import { after, entrywise, onOperand } from '../program/operations.ts';
import { DoesNotFit, type StepOperation, withStep } from '../program/program.ts';
import { type Edit, type Family, operationAt, type Site } from './edit.ts';
import {
  contributionEdit,
  contributionsTo,
  makeEdit,
  passedBack,
  type Say,
  stepEdit,
} from './make.ts';
import { onResult } from './spots.ts';

const say = (own: string, type: NumberType, of: string): Say => ({
  id: 'low-precision',
  title: `${of} ${of === own ? 'is' : `in ${own} are`} rounded to ${type.name}`,
  why: `The error is that of rounding ${of} to ${type.name}, while the rest of the program is more precise. Keep this step in float32.`,
  wrong: `${own} with ${of} in ${type.name}`,
  numpy: `${own} = ... in np.float32`,
  pytorch: `${own} = ...float()  # as in torch.softmax(x, -1, dtype=torch.float32)`,
  cost: 1.1,
});

const rounding = (type: NumberType): StepOperation =>
  entrywise(
    (value) => type.round(value),
    () => 1,
  );

/** A step that is not given, in a narrower type; only where the error is small enough for that. */
function hidden(site: Site): Edit[] {
  const { node, kind, type, deviation } = site;
  const own = tensorName(node.id, kind);
  if (kind === 'value' && node.kind === 'input') return [];
  const types = [BFLOAT16, FLOAT16, FLOAT32].filter(
    ({ epsilon }) => epsilon > type.epsilon && deviation <= 16 * epsilon,
  );
  return types.flatMap((each) => [
    ...inputsOf(site).map((ids) => keptEdit(site, ids, each)),
    onResult(site, say(own, each, own), rounding(each)),
    ...(kind === 'gradient' ? operandsBackward(site, each) : []),
  ]);
}

/** Inputs that may be kept in a narrower type, told at the first step that reads them: one, or all. */
function inputsOf({ graph, node, kind }: Site): NodeId[][] {
  if (kind !== 'value' || node.kind !== 'operation') return [];
  const all = graph.nodes.filter((each) => each.kind === 'input').map(({ id }) => id);
  const own = node.inputs.filter((id) => all.includes(id));
  if (own.length === 0) return [];
  const weights = all.filter((id) => id.startsWith('W_'));
  return [all, weights, ...own.map((id) => [id])].filter(({ length }) => length > 0);
}

function keptEdit(site: Site, ids: readonly NodeId[], type: NumberType): Edit {
  const others = site.graph.nodes.filter(({ kind, id }) => kind === 'input' && !ids.includes(id));
  const [first] = ids;
  const words =
    ids.length === 1
      ? `${first} is`
      : others.length === 0
        ? 'all inputs and weights are'
        : 'all weights are';
  const what = `${words} kept in ${type.name}`;
  const own = ids.join(', ');
  const said = {
    id: 'low-precision',
    title: what,
    why: `The error is that of rounding ${own} to ${type.name}, while the rest of the program is more precise.`,
    wrong: `${own} rounded to ${type.name}`,
    right: `${own} as in the setup`,
    numpy: `${own}: as np.${site.type === FLOAT64 ? 'float64' : 'float32'}`,
    pytorch: `${own}: as torch.${site.type === FLOAT64 ? 'float64' : 'float32'}`,
    cost: 1 + ids.length / 100,
  };
  return makeEdit(site, first, 'value', said, (program) =>
    ids.reduce((changed, id) => {
      const node = nodeOf(site.graph, id);
      if (node.kind !== 'input') throw new DoesNotFit(`${id} is no input`);
      const operation: StepOperation = {
        name: 'kept',
        forward: () => map(node.value, (value) => type.round(value)),
        vjp: () => [],
      };
      return withStep(changed, id, { operation, inputs: [] }, true);
    }, program),
  );
}

export const precision: Family = (site) => {
  const { node, kind, target, type } = site;
  if (!target) return hidden(site);
  const { user, predicted } = target;
  const own = tensorName(node.id, kind);
  const types = [BFLOAT16, FLOAT16, FLOAT32].filter(({ epsilon }) => epsilon > type.epsilon);
  // What overflows is rounded to infinity.
  const rounds = (type_: NumberType): boolean =>
    user.data.every(
      (value, at) => Number.isFinite(value) || Object.is(value, type_.round(predicted.data[at])),
    );
  const finite = (tensor: Tensor): Tensor =>
    map(tensor, (value, at) => (Number.isFinite(user.data[at]) ? value : 0));
  const error = difference(finite(user), finite(predicted)).maxAbs;
  const near = types.filter(
    (each) => error <= 16 * each.epsilon * largestMagnitude(predicted) && rounds(each),
  );
  if (near.length === 0) return [];
  if (kind === 'value' && node.kind === 'input')
    return near.map((each) => keptEdit(site, [node.id], each));
  const edits: Edit[] = near.flatMap((each) =>
    inputsOf(site).map((ids) => keptEdit(site, ids, each)),
  );
  const stored = narrowestType({ tensor: user, dtype: 'float64' });
  if (stored && near.some(({ name }) => name === stored.name)) {
    // Rounding the right value may fall the other way where it lies between: the stored entry is the evidence.
    const most = 4 * stored.epsilon * largestMagnitude(predicted);
    const snap = ({ data, shape }: Tensor): Tensor => ({
      shape,
      data: data.map((value, at) =>
        Math.abs(value - user.data[at]) <= most ? user.data[at] : stored.round(value),
      ),
    });
    edits.push(
      onResult(site, say(own, stored, own), {
        name: 'round',
        forward: ([value]) => snap(value),
        vjp: (_, upstream) => [upstream],
      }),
    );
  }
  const edit = kind === 'value' ? operandsForward : operandsBackward;
  return [...edits, ...near.flatMap((each) => edit(site, each))];
};

/** A step whose result or operands are rounded. */
function operandsForward(site: Site, type: NumberType): Edit[] {
  const { node } = site;
  const step = operationAt(site);
  if (!step) return [];
  const round = rounding(type);
  const all = (operation: StepOperation): StepOperation =>
    step.inputs.reduce((inner, _, slot) => onOperand(inner, slot, round), operation);
  const edit = (of: string, change: (operation: StepOperation) => StepOperation): Edit =>
    stepEdit(site, node.id, say(node.id, type, of), ({ operation }) => change(operation));
  return [
    edit(node.id, (own) => after(own, round)),
    ...step.inputs.flatMap((input, slot) =>
      nodeOf(site.graph, input).shape.length > 0
        ? [edit(input, (own) => onOperand(own, slot, round))]
        : [],
    ),
    edit('all operands', all),
    edit('operands and result', (own) => after(all(own), round)),
  ];
}

/** Gradients whose operands, or whose upstream gradient, are rounded. */
function operandsBackward(site: Site, type: NumberType): Edit[] {
  const own = `d${site.node.id}`;
  const round = (value: Tensor): Tensor => map(value, (entry) => type.round(entry));
  return contributionsTo(site, site.node.id).flatMap(({ from, slot }) => {
    const edit = (of: string, upstream: boolean, operands: (id: string) => boolean): Edit =>
      contributionEdit(site, from.id, slot, say(own, type, of), (_, state) => {
        const value = (id: string): Tensor =>
          operands(id) ? round(state.value(id)) : state.value(id);
        const gradient = state.gradient(from.id);
        const inputs = from.inputs.map(value);
        return passedBack(state, from.id, slot, {
          inputs,
          output: value(from.id),
          upstream: upstream ? round(gradient) : gradient,
        });
      });
    return [
      ...[edit(`d${from.id}`, true, () => false), edit('all operands', true, () => true)],
      ...[...from.inputs, from.id].map((input) => edit(input, false, (id) => id === input)),
    ];
  });
}
