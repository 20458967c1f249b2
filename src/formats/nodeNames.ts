// Which node, value or gradient, a person's own tensor is: by its name in a trace.
import type { NodeId } from '../engine/graph.ts';
import { ALIASES } from './nodeAliases.ts';
import { NODE_IDS, SCALARS } from '../engine/nodes.ts';

export interface ResolvedName {
  readonly node: NodeId;
  readonly kind: 'value' | 'gradient';
}

const BY_ALIAS: ReadonlyMap<string, NodeId> = new Map(
  NODE_IDS.flatMap((id) =>
    [plain(id), ...(ALIASES[id]?.split(/\s+/) ?? [])].map((alias) => [alias, id] as const),
  ),
);

/** In lower case these are too common for other things: a maximum, a cell, a dimension. */
const ONLY_UPPER_CASE = ['m', 'c', 'z', 'b'];

const LONGEST_NAME = 200;

/** Folders and modules that say nothing about which node it is. */
const NEUTRAL =
  /^(?:attn|attention|self_?attn|self_?attention|cross_?attn|mha|block|model|module|self|trace|tensors|forward|fwd|activations|acts|values|weights|params|state)[./:]+/i;
const GRADIENT_FOLDER = /^(?:grads?|gradients?|backward|bwd|d)[./:]+/i;

/** Before the name: grad_Q, gradQ, grad_wrt_Q, dL_dQ, dL/dQ, df/dx, d_Q, gQ, ∂L/∂Q, ∇Q. */
const PREFIXES = [
  /^(?:grads?|gradients?|g)[_\-\s]+(?:(?:of|wrt|to)[_\-\s]+)?(?=.)/i,
  /^grad(?:ient)?(?:Of|Wrt)?(?=[A-Z])/,
  /^grad/i,
  /^[d∂](?:L|f|J|E|loss|Loss)[_/\s]*[d∂][_\s]?(?=.)/,
  /^[d∂][_\s]?(?=.)/i,
  /^g(?=.)/,
  /^∇[_\s]?(?=.)/,
];

/** After the name: Q.grad, Q_grad, Q/grad, QGrad, q_gradient. */
const SUFFIX = /[._\-/:\s]?(?:grads?|gradients?)$/i;

/**
 * The node that `name` stands for, or null if it is none or could be two. First come the setup's `names`, then
 * the ids and their gradients as they are (`P`, `dP`), then usual names (`attn_weights`, `grad_q`). Pass the
 * tensor's number of axes as `rank` where it is known: a plain number can only be f or λ, so that a dimension `d_k`
 * is not taken for the gradient of K.
 *
 * A weight of a framework is often the transpose of ours (`q_proj.weight` is (out, in)), and S may be scaled
 * already: the name alone does not tell, the comparison does. Two entries may resolve to one node.
 */
export function resolveName(
  name: string,
  names: Readonly<Record<string, string>> = {},
  rank?: number,
): ResolvedName | null {
  const found = Object.hasOwn(names, name)
    ? resolveId(names[name])
    : (resolveId(name) ?? resolveUsual(name.trim()));
  return rank === 0 && found && !SCALARS.includes(found.node) ? null : found;
}

function resolveId(name: string): ResolvedName | null {
  if (NODE_IDS.includes(name)) return { node: name, kind: 'value' };
  if (name.startsWith('d') && NODE_IDS.includes(name.slice(1)))
    return { node: name.slice(1), kind: 'gradient' };
  return null;
}

function resolveUsual(name: string): ResolvedName | null {
  if (name.length > LONGEST_NAME) return null;
  const value = byAlias(name);
  if (value !== undefined) return { node: value, kind: 'value' };
  const gradient = gradientOf(name);
  if (gradient !== undefined) return { node: gradient, kind: 'gradient' };
  if (GRADIENT_FOLDER.test(name)) {
    const inside = resolveName(name.replace(GRADIENT_FOLDER, ''));
    return inside && { node: inside.node, kind: 'gradient' };
  }
  return NEUTRAL.test(name) ? resolveName(name.replace(NEUTRAL, '')) : null;
}

function gradientOf(name: string): NodeId | undefined {
  for (const prefix of PREFIXES) {
    const node = prefix.test(name) ? byAlias(name.replace(prefix, '')) : undefined;
    if (node !== undefined) return node;
  }
  return SUFFIX.test(name) ? byAlias(name.replace(SUFFIX, '')) : undefined;
}

function byAlias(name: string): NodeId | undefined {
  return ONLY_UPPER_CASE.includes(name) ? undefined : BY_ALIAS.get(plain(name));
}

/** Lower case without separators; a prime mark is a word, other signs stay and make it no name. */
function plain(name: string): string {
  return name
    .replaceAll(/['′’]/g, 'prime')
    .toLowerCase()
    .replaceAll(/[\s_.\-/:]/g, '');
}
