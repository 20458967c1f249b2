// A definition of a tensor printed for each of the languages that people write it in.
import type { Extents } from '../axes.ts';
import { collapsed } from '../collapse.ts';
import { type Formula, toText } from '../formula.ts';
import { assignment } from './arrayCode.ts';
import { NotPrintable } from './code.ts';
import { NUMPY, PYTORCH } from './dialect.ts';
import { toLatex } from './latex.ts';

export interface Printed {
  readonly text: string;
  readonly latex: string;
  readonly numpy: string;
  readonly pytorch: string;
}

/** Throws RangeError for what cannot be computed. */
export function printed(formula: Formula, extents: Extents): Printed {
  const code = collapsed(formula);
  const all: Extents = { ...extents, l: extents['i'] };
  return {
    text: toText(formula),
    latex: toLatex(formula),
    numpy: assignment(code, { dialect: NUMPY, extents: all }),
    pytorch: assignment(code, { dialect: PYTORCH, extents: all }),
  };
}

/** Null where array code has no short way to say it. */
export function printedIfShort(formula: Formula, extents: Extents): Printed | null {
  try {
    return printed(formula, extents);
  } catch (error) {
    if (error instanceof NotPrintable) return null;
    throw error;
  }
}
