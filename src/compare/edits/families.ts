// All families of edits, the commonest mistakes first. A new one is one file and one line here.
import { accumulate } from './accumulate.ts';
import { bias } from './bias.ts';
import { dropout } from './dropout.ts';
import type { Family } from './edit.ts';
import { extra } from './extra.ts';
import { heads } from './heads.ts';
import { loss } from './loss.ts';
import { mask } from './mask.ts';
import { operands } from './operands.ts';
import { overflow } from './overflow.ts';
import { past } from './past.ts';
import { permute } from './permute.ts';
import { precision } from './precision.ts';
import { reduction } from './reduction.ts';
import { rope } from './rope.ts';
import { scale } from './scale.ts';
import { skip } from './skip.ts';
import { softcap } from './softcap.ts';
import { softmaxBackward } from './softmaxBackward.ts';
import { softmaxForward } from './softmaxForward.ts';

export const FAMILIES: readonly Family[] = [
  ...[
    scale,
    precision,
    skip,
    mask,
    dropout,
    softcap,
    softmaxForward,
    overflow,
    accumulate,
    softmaxBackward,
  ],
  ...[reduction, heads, rope, bias, permute, operands, past, loss, extra],
];
