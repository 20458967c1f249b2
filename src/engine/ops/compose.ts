// Several operations in a row that make one node (split heads, then rotate, then put earlier tokens in front).
import { accumulates, equals, type Formula, where } from '../formula.ts';
import type { Application, Names, Operation, OperationFormula } from '../operation.ts';
import type { Tensor } from '../tensor.ts';
import { expanded } from '../where.ts';

/** f_n after ... after f_1, each with one input. The Jacobian is the product of theirs, entry by entry. */
export function compose(operations: readonly Operation[]): Operation {
  if (operations.length === 1) return operations[0];
  // Terms are looked at one by one, each asking for the steps between: keep the last input's.
  const known = new WeakMap<Tensor, Application[]>();
  const applications = (input: Tensor): Application[] => {
    const cached = known.get(input);
    if (cached) return cached;
    let current = input;
    const steps = operations.map((operation) => {
      const output = operation.forward([current]);
      const application = { inputs: [current], output };
      current = output;
      return application;
    });
    known.set(input, steps);
    return steps;
  };
  /** Entries of the last output that one input entry reaches, with the product of the slopes on the way. */
  const spread = (input: Tensor, inputOffset: number): Map<number, number> => {
    let reached = new Map([[inputOffset, 1]]);
    applications(input).forEach((application, n) => {
      const next = new Map<number, number>();
      for (const [offset, slope] of reached) {
        for (const output of operations[n].reach(application, 0, offset)) {
          const partial = slope * operations[n].partial(application, 0, output, offset);
          next.set(output, (next.get(output) ?? 0) + partial);
        }
      }
      reached = next;
    });
    return reached;
  };
  return {
    name: operations.map((operation) => operation.name).join(', '),
    summary: operations.map((operation) => operation.summary).join(' '),
    forward: ([input]) =>
      operations.reduce((current, operation) => operation.forward([current]), input),
    vjp({ inputs: [input] }, upstream) {
      const steps = applications(input);
      return [
        operations.reduceRight(
          (current, operation, n) => operation.vjp(steps[n], current)[0],
          upstream,
        ),
      ];
    },
    partial: ({ inputs: [input] }, _slot, outputOffset, inputOffset) =>
      spread(input, inputOffset).get(outputOffset) ?? 0,
    reach: ({ inputs: [input] }, _slot, inputOffset) =>
      [...spread(input, inputOffset).keys()].sort((a, b) => a - b),
    formula: (names) => composed(operations, names),
  };
}

type Relation = Formula & { readonly kind: 'relation' };

/** The right side without its definitions, and these. */
function parted({ right }: Relation): { body: Formula; definitions: readonly Formula[] } {
  return right.kind === 'where' ? right : { body: right, definitions: [] };
}

/** One step put into the next; the definitions of all stand at the end. */
function composed(operations: readonly Operation[], names: Names): OperationFormula {
  const last = operations.length - 1;
  const name = (n: number): string => (n === last ? names.output : `step ${n + 1}`);
  const formulas = operations.map((operation, n) =>
    operation.formula({ output: name(n), inputs: [n === 0 ? names.inputs[0] : name(n - 1)] }),
  );
  const chained = (relations: readonly Relation[]): Formula => {
    const parts = relations.map(parted);
    const body = relations
      .slice(1)
      .reduce<Formula>(
        (inner, { left }, n) =>
          expanded({ kind: 'where', body: inner, definitions: [equals(left, parts[n + 1].body)] }),
        parts[0].body,
      );
    return where(body, ...parts.flatMap(({ definitions }) => definitions));
  };
  // Outermost first: forward the last step, backward the first.
  const forward = formulas.map((each) => each.forward as Relation).reverse();
  const backward = formulas.map(({ backward: [each] }) => each as Relation);
  return {
    forward: equals(forward[0].left, chained(forward)),
    backward: [accumulates(backward[0].left, chained(backward))],
    given: Object.assign({}, ...formulas.map(({ given }) => given ?? {})),
  };
}
