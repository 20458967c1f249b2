// All families of edits, in the order in which they are tried. A new one is one file and one line here.
import { accumulate } from './accumulate.ts';
import { bias } from '../mistakes/names/bias.ts';
import { dropout } from '../mistakes/names/dropout.ts';
import type { Family } from './edit.ts';
import { extra, mixed } from './extra.ts';
import { extraTerm } from './extraTerm.ts';
import { fitted } from './fitted.ts';
import { fused } from '../mistakes/names/fused.ts';
import { heads } from '../mistakes/names/groupedHeads.ts';
import { letters, partsOfSums, reduction } from '../mistakes/names/contributions.ts';
import { kernelBackward, kernelForward, kernelLogged } from '../mistakes/names/kernels.ts';
import { options } from '../mistakes/names/options.ts';
import { limits, softmaxSolved, unwritten } from './limits.ts';
import { loss } from '../mistakes/names/loss.ts';
import { mask, maskBias, strangeMasks } from '../mistakes/names/masking.ts';
import { maskSolved } from '../mistakes/maskSolved.ts';
import { operands, skip } from './operands.ts';
import { overflow } from './overflow.ts';
import { past } from '../mistakes/names/past.ts';
import { permute } from './permute.ts';
import { piecewise } from './piecewise.ts';
import { positionBias } from '../mistakes/names/positionBias.ts';
import { precision } from './precision.ts';
import { rope } from '../mistakes/names/rope.ts';
import { scale } from './scale.ts';
import {
  averaged,
  dropoutOnScores,
  emptySlots,
  similarity,
  upstreamIgnored,
} from '../mistakes/names/others.ts';
import { scores } from '../mistakes/names/scores.ts';
import { softmaxBackward, softmaxBackwardTwice } from '../mistakes/names/softmaxBackward.ts';
import { softmaxForward, softmaxShapes } from '../mistakes/names/softmaxForward.ts';
import { unreset } from './unreset.ts';
import { rowTerm } from './rowTerm.ts';
import { transformed } from './transformed.ts';

/** The mistakes that people are known for, the commonest first. */
const KNOWN: readonly Family[] = [
  ...[scale, accumulate, precision, skip, mask, dropout, scores, softmaxForward, overflow],
  ...[softmaxBackward, reduction, heads, rope, bias, permute, operands, past, loss, extra],
  ...[
    positionBias,
    maskBias,
    maskSolved,
    strangeMasks,
    softmaxSolved,
    dropoutOnScores,
    similarity,
    fused,
  ],
  ...[kernelBackward, partsOfSums, kernelLogged],
  ...[options, letters, extraTerm, emptySlots],
  ...[upstreamIgnored, averaged, unreset],
];

/** Whatever can be done to a tensor: tried where no known mistake reproduces the person's. */
const ANYTHING: readonly Family[] = [
  softmaxBackwardTwice,
  rowTerm,
  fitted,
  kernelForward,
  piecewise,
  limits,
  transformed,
  softmaxShapes,
  mixed,
];

export const STAGES: readonly (readonly Family[])[] = [KNOWN, ANYTHING];

/** What is known of a tensor that is nothing but NaN and infinities, or nothing but zeros: anything else fits too. */
export const OF_NO_NUMBERS: readonly Family[] = [overflow, limits];
export const OF_ZEROS: readonly Family[] = [unwritten];

export const FAMILIES: readonly Family[] = STAGES.flat();
