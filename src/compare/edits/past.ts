// Earlier keys and values: behind the new ones, or keys and values exchanged.
import { hasNode, nodeOf, type NodeId } from '../../engine/graph.ts';
import { prepend } from '../../engine/ops/layout.ts';
import { shapeOf } from '../../engine/axes.ts';
import { sameShape, sizeOf, type Tensor } from '../../engine/tensor.ts';
import { after, entrywise, gather } from '../program/operations.ts';
import { type StepOperation, withStep } from '../program/program.ts';
import { groupsOf, indexTransforms } from '../program/transforms/indices.ts';
import { type Edit, type Family, operationAt, pastTokens, type Site } from './edit.ts';
import { contributionEdit, contributionsTo, makeEdit, passedBack, stepEdit } from './make.ts';
import { partAlong } from './piecewise.ts';

export const past: Family = (site) => {
  const { config, graph, node, kind } = site;
  if (!config.past || !hasNode(graph, 'Kh')) return [];
  if (kind === 'gradient') return /^[KV]$/.test(node.id) ? [wrongSlice(site)] : withoutPast(site);
  if (!operationAt(site) || !/^[KV]h$/.test(node.id)) return [];
  return [...appended(site), ...movedPast(site), ...swapped(site)];
};

/** The earlier tokens behind the new ones: of keys or values, or of both. */
function appended(site: Site): Edit[] {
  const { graph, node } = site;
  const [tokens, width] = node.shape.slice(-2);
  const earlier = tokens - graph.extents['t'];
  const block = tokens * width;
  const table = Int32Array.from({ length: sizeOf(node.shape) }, (_, at) => {
    const start = Math.floor(at / block) * block;
    return start + ((at - start + earlier * width) % block);
  });
  const behind = gather(table, node.shape);
  const edit = (ids: readonly NodeId[], words: string, formula: string): Edit => {
    const say = {
      id: 'past-appended',
      title: `the earlier tokens come after the new ones in ${words}`,
      why: 'Earlier keys and values belong in front: the mask counts positions from them.',
      wrong: formula,
    };
    return makeEdit(site, node.id, 'value', say, (program) =>
      ids.reduce((changed, id) => {
        const { operation, inputs } = changed.forward.get(id)!;
        return withStep(changed, id, { operation: after(operation, behind), inputs });
      }, program),
    );
  };
  const alone = edit([node.id], node.id, `${node.id} = concat(new, past)`);
  if (node.id !== 'Kh' || !sameShape(nodeOf(graph, 'Vh').shape, node.shape)) return [alone];
  const both = 'Kh = concat(new, past), Vh = concat(new, past)';
  return [alone, edit(['Kh', 'Vh'], 'Kh and Vh', both)];
}

/** The earlier values in front of the new keys, or the other way round. */
function swapped(site: Site): Edit[] {
  const { config, graph, node } = site;
  const { K, V } = config.past!;
  if (!sameShape(K.shape, V.shape)) return [];
  const [others, other] = node.id === 'Kh' ? (['values', V] as const) : (['keys', K] as const);
  const axes = node.axes.map((axis) => axis.map((letter) => (letter === 'i' ? 't' : letter)));
  const swap = prepend(node.axes, axes, other);
  const newShape = [...node.shape.slice(0, -2), graph.extents['t'], node.shape.at(-1)!];
  const empty = { shape: newShape, data: new Float64Array(0) };
  const newOnly: StepOperation = {
    name: 'new tokens',
    forward: ([whole]) => swap.forward([swap.vjp({ inputs: [empty], output: whole }, whole)[0]]),
    vjp: (_, upstream) => [upstream],
  };
  const say = {
    id: 'past-swapped',
    title: `${node.id} has the earlier ${others} in front`,
    why: 'The cache of keys and that of values are exchanged.',
    wrong: `${node.id} = concat(past ${others}, new)`,
  };
  return [stepEdit(site, node.id, say, ({ operation }) => after(operation, newOnly))];
}

/** The earlier tokens reversed, shifted, of the first batch entry for all, 0 or rotated again. */
function movedPast(site: Site): Edit[] {
  const { config, graph, node } = site;
  const earlier = (node.id === 'Kh' ? config.past!.K : config.past!.V).shape.slice(-2)[0];
  const axes = node.axes.map((axis) => axis.map((letter) => (letter === 'i' ? 'p' : letter)));
  const shape = shapeOf(axes, graph.extents);
  const [tokens, width] = node.shape.slice(-2);
  const isPast = (at: number): boolean => Math.floor(at / width) % tokens < earlier;
  const name = node.id === 'Kh' ? 'the earlier keys (past)' : 'the earlier values (past)';
  /** `change` of the earlier tokens alone. */
  const on = (change: StepOperation): StepOperation => {
    const split = (whole: Tensor): Tensor => ({
      shape,
      data: whole.data.filter((_, at) => isPast(at)),
    });
    const join = (whole: Tensor, part: Tensor): Tensor => {
      let next = 0;
      const one = (value: number, at: number): number => (isPast(at) ? part.data[next++] : value);
      return { shape: whole.shape, data: whole.data.map(one) };
    };
    return {
      name: change.name,
      forward: ([whole]) => join(whole, change.forward([split(whole)])),
      // The earlier tokens are constants.
      vjp: (_, upstream) => [upstream],
    };
  };
  const edit = (
    id: string,
    title: string,
    formula: string,
    change: StepOperation,
    cost: number,
  ): Edit =>
    stepEdit(
      site,
      node.id,
      {
        id,
        title,
        why: `${node.id} comes out exactly if ${title}.`,
        wrong: `${node.id} = concat(${formula}, new)`,
        cost,
      },
      ({ operation }) => after(operation, on(change)),
    );
  const moves = groupsOf(axes, graph.extents).flatMap((group) =>
    indexTransforms(axes, group, graph.extents).map((each) =>
      edit(`past-${each.id}`, each.title(name), each.formula('past'), each.operation, each.cost),
    ),
  );
  const zero = entrywise(
    () => 0,
    () => 0,
  );
  moves.push(
    edit('past-zero', `${name} are 0: the cache is missing or not filled`, '0', zero, 1.2),
  );
  return moves;
}

/** The gradient's first tokens taken for the new ones. */
function wrongSlice(site: Site): Edit {
  const { node, graph } = site;
  const head = `${node.id}h`;
  const say = {
    id: 'backward-past-slice',
    title: `d${node.id} takes the first tokens of d${head}, which are the earlier ones (past), for the new ones`,
    why: `The earlier tokens come first in ${head}: the gradient of the new ones is d${head}[past:].`,
    wrong: `d${node.id} = merge(d${head}[:new])`,
    cost: 1.1,
  };
  return contributionEdit(site, head, 0, say, (_, state) => {
    const own = state.gradient(head);
    const [tokens, width] = own.shape.slice(-2);
    const earlier = tokens - graph.extents['t'];
    const data = own.data.map((_each, at) => {
      const row = Math.floor(at / width) % tokens;
      return row < earlier ? 0 : own.data[at - earlier * width];
    });
    return passedBack(state, head, 0, { upstream: { shape: own.shape, data } });
  });
}

/** A gradient that sums over the keys, over the new ones alone. */
function withoutPast(site: Site): Edit[] {
  const { node, graph } = site;
  const earlier = pastTokens(site);
  return contributionsTo(site, node.id).flatMap(({ from, slot }): Edit[] => {
    if (from.id !== 'S' || node.axes.flat().includes('i')) return [];
    const part = [earlier, graph.extents['i']] as const;
    const say = {
      id: 'backward-past-left-out',
      title: `d${node.id} sums over the new keys alone: the ${earlier} earlier ones (past) are left out`,
      why: 'A query sees the earlier keys too, and gets a gradient from them.',
      wrong: `d${node.id} = dS[..., ${earlier}:] K[${earlier}:]`,
    };
    return [
      contributionEdit(site, from.id, slot, say, (_, state) =>
        passedBack(state, from.id, slot, {
          upstream: partAlong(state.gradient(from.id), from.axes, 'i', part, graph.extents),
        }),
      ),
    ];
  });
}
