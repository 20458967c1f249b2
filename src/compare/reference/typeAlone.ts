// What a number type alone does to a right program, beside a person's error: a bug, or rounding.
import { type Key, keyOf, type Kind } from '../program/program.ts';
import type { Judged } from '../judge/nodeReports.ts';
import type { Reference } from './reference.ts';
import type { Cause, Precision, Report } from '../report.ts';

/** The first wrong tensor's error, else the largest for its type; null where nothing is compared as it is. */
export function precisionOf(
  reference: Reference,
  judged: ReadonlyMap<Key, Judged>,
  first: Report['first'],
): Precision | null {
  const told = (key: Key, { tensor }: Judged): Omit<Precision, 'verdict'> => {
    const kind: Kind = key.startsWith('v:') ? 'value' : 'gradient';
    const yours = reference.against(key, tensor).maxAbs;
    const dtype = reference.type.name;
    return { dtype, node: key.slice(2), kind, yours, alone: reference.alone(key) };
  };
  if (first) {
    const key = keyOf(first.node, first.kind);
    const own = judged.get(key);
    return own ? { ...told(key, own), verdict: 'bug' } : null;
  }
  // What is kept in another way is as far off as that way, which no rounding explains.
  const plain = [...judged].filter(([, { status }]) => status !== 'layout');
  const all = plain.map(([key, own]) => told(key, own));
  const times = ({ yours, alone }: (typeof all)[number]): number =>
    yours === 0 ? 0 : yours / (alone || Number.MIN_VALUE);
  const worst = all.sort((a, b) => times(b) - times(a)).at(0);
  return worst ? { ...worst, verdict: worst.yours === 0 ? 'exact' : 'rounding' } : null;
}

/** An error below this share of what TF32 alone does is another one. */
const LIKE_TF32 = 0.05;

/** The cause of an error that is as large as products in TF32 make it; null where it is not. */
export function tf32Cause(
  first: NonNullable<Report['first']>,
  { yours, alone }: Pick<Precision, 'yours' | 'alone'>,
  size: number,
): Cause | null {
  if (!(yours >= LIKE_TF32 * alone)) return null;
  return {
    ...{
      id: 'tf32',
      title: 'matrix products are made in TF32',
      node: first.node,
      kind: first.kind,
    },
    why: `All tensors are right to the precision of TF32, of which products of matrices keep 10 bits: yours is ${yours.toExponential(1)} off float64, TF32 alone does ${alone.toExponential(1)} to a right program.`,
    wrong: 'operands of products rounded to TF32',
    right: 'products of float32 operands',
    fix: 'Ask for float32 products, or judge by "numberType": "tf32" in the setup.',
    numpy: 'np.float32 operands, which NumPy multiplies in full',
    pytorch: 'torch.backends.cuda.matmul.allow_tf32 = False',
    residual: size === 0 ? 0 : yours / size,
    runnerUp: null,
  };
}
