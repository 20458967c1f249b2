// The text in which a program answers: "~json " or "~data " and base64, whatever quotes the debugger adds.
import { isDType } from '../../formats/dtype.ts';
import type { ProgramTensor } from './tensor.ts';

const REPLY = /^(['"]?)~(json|data) ([A-Za-z0-9+/]*={0,2})\1$/;
const LONGEST_MESSAGE = 300;

export type Reply =
  | { readonly kind: 'data'; readonly bytes: Uint8Array }
  | { readonly kind: 'json'; readonly value: unknown };

/** Null where the debugger has cut the text short. Throws an Error with what the program says went wrong. */
export function readReply(text: string): Reply | null {
  const [, , kind, body] = REPLY.exec(text) ?? [];
  if (body === undefined) {
    if (/^['"]?~(json|data) /.test(text)) return null;
    throw new Error(shortened(text));
  }
  const bytes = new Uint8Array(Buffer.from(body, 'base64'));
  if (kind === 'data') return { kind, bytes };
  const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
  const { error } = Object(value) as { error?: unknown };
  if (typeof error === 'string') throw new Error(shortened(error));
  return { kind: 'json', value };
}

/** The tensors of a list; what a program says it has is checked like a file. */
export function readTensors({ value }: Reply & { kind: 'json' }): ProgramTensor[] {
  if (!Array.isArray(value)) throw new Error('the program gave no list of tensors');
  return (value as unknown[]).map((each) => {
    const [expression, shape, dtype, sentAs] = each as unknown[];
    const isShape = Array.isArray(shape) && shape.every((n) => Number.isSafeInteger(n) && n >= 0);
    if (
      typeof expression !== 'string' ||
      !isShape ||
      typeof dtype !== 'string' ||
      typeof sentAs !== 'string' ||
      !isDType(dtype) ||
      !isDType(sentAs)
    )
      throw new Error(`the program describes a tensor as ${JSON.stringify(each)}`);
    return { expression, shape: shape as number[], dtype, sentAs };
  });
}

/** A traceback ends with what went wrong. */
function shortened(text: string): string {
  const lines = text.trim().split('\n');
  const message = lines[0].startsWith('Traceback') ? lines[lines.length - 1] : lines[0];
  return message.length > LONGEST_MESSAGE ? `${message.slice(0, LONGEST_MESSAGE)}…` : message;
}
