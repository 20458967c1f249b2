// How node ids are written for people: xPrime is x′, W_K and Kh have subscripts, gradients start with d.
import type { JSX } from 'preact';

export interface NameParts {
  readonly base: string;
  readonly subscript: string;
}

/** xPrime as x′, and xValue as x″: the inputs that values are made from. */
const primed = (text: string): string => text.replace(/xPrime/g, 'x′').replace(/xValue/g, 'x″');

/** Names that are words, written short. */
const SHORT: Readonly<Record<string, NameParts>> = {
  headScale: { base: 'α', subscript: 'h' },
  temperature: { base: 'τ', subscript: '' },
  lambda_full: { base: 'λ', subscript: '' },
};

const GREEK: Readonly<Record<string, string>> = { gamma: 'γ', beta: 'β', lambda: 'λ' };

/** A name as formulas have it: with its primes, and Greek letters for words. */
export const written = (text: string): string =>
  primed(text).replace(/gamma|beta|lambda/, (name) => GREEK[name]);

/** "dW_K" -> { base: "dW", subscript: "K" }. */
export function nameParts(id: string): NameParts {
  const plain = primed(id);
  const short = SHORT[plain.replace(/^d/, '')];
  if (short) return plain.startsWith('d') ? { ...short, base: `d${short.base}` } : short;
  const greek = /^(d?)(gamma|beta|lambda)_(\w+)$/.exec(plain);
  if (greek) return { base: greek[1] + GREEK[greek[2]], subscript: greek[3] };
  const weight = /^(d?[Wb])_(\w+)$/.exec(plain);
  if (weight) return { base: weight[1], subscript: weight[2] };
  const derived = /^(d?(?:[A-Z]|[xyc]))([a-zA-Z]+)$/.exec(plain);
  return derived ? { base: derived[1], subscript: derived[2] } : { base: plain, subscript: '' };
}

const subscripts: Readonly<Record<string, string>> = { h: 'ₕ', n: 'ₙ', s: 'ₛ' };

/** One string, for labels and titles: "x′", "W_K", "Kₕ". */
export function plainName(id: string): string {
  const { base, subscript } = nameParts(id);
  if (!subscript) return base;
  return subscripts[subscript] ? base + subscripts[subscript] : `${base}_${subscript}`;
}

/** "backward: y → x, xPrime" with the names as people write them; the other words stay. */
export function plainCaption(caption: string, nodes: readonly { readonly id: string }[]): string {
  return caption.replace(/\w+/g, (word) =>
    nodes.some(({ id }) => word === id || word === `d${id}`) ? plainName(word) : word,
  );
}

/** The host's captions, "y → x, W_K", with every node's name set as a name. */
export function Names({ text }: { readonly text: string }): JSX.Element {
  const parts = text.split(/(\s*→\s*|, )/);
  return <>{parts.map((part, n) => (n % 2 === 0 ? <Name key={n} id={part} /> : part))}</>;
}

export function Name({ id, gradient = false }: { id: string; gradient?: boolean }): JSX.Element {
  const { base, subscript } = nameParts(gradient ? `d${id}` : id);
  return (
    <span class="name">
      {base}
      {subscript && <sub>{subscript}</sub>}
    </span>
  );
}

/** Entry names in the host's labels, "dxPrime[0,1]", as people write them. */
export function plainLabel(label: string): string {
  return label.replace(/[a-z_]\w*/gi, plainName).replace(/,/g, ', ');
}
