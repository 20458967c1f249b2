// Whose fault a wrong result is: its own statement's, or that of an operand which is not what it is taken for.
import type { Blame } from './blame/common.ts';
import { asWritten } from './blame/asWritten.ts';
import { wrongArgument } from './blame/argument.ts';
import { multipliedMask, unmaskedWeights, wrongMask } from './blame/mask.ts';
import { wrongBias } from './blame/bias.ts';
import { cutToWhole, oneArray } from './blame/kept.ts';
import { storedMaxima } from './blame/handedOut.ts';
import { hidesNothing, idleFactor, thrownAway, zeroed } from './blame/nothing.ts';
import {
  halfJacobian,
  oddLayout,
  otherOrder,
  pickedOfGroup,
  staleOperand,
  valuesAlone,
  wrongTable,
  wrongTokens,
} from './blame/operand.ts';
import { bareScores, wrongCall } from './blame/calls.ts';
import { wrongNumber } from './blame/number.ts';
import { wrongOffset } from './blame/offset.ts';
import { withoutMaximum } from './blame/peakless.ts';
import { wrongPicked, wrongWhole } from './blame/upstream.ts';
import { changedBefore, spoiltOperand } from './blame/spoilt.ts';
import { wrongWidth } from './blame/width.ts';
import { unknownOperand } from './blame/unknown.ts';
import { unfinishedOperand } from './blame/unfinished.ts';
import { unscaledAt } from './blame/unscaled.ts';
import { otherwiseJoined, sharedArray, wrongPart, wrongPlace, wrongStart } from './blame/array.ts';
import { missingTiles, shortTiles, unhiddenBeyond } from './blame/tiles.ts';
import { misnamedOperand } from './names/mistaken.ts';
import type { Field, Suspect } from './suspects.ts';

export function blameOf(field: Field, suspect: Suspect): Blame {
  const blame = reasonOf(field, suspect);
  const statement = blame.statement ?? registeredAt(field, blame.event);
  return { ...blame, ...(statement !== null && { statement }) };
}

/** The statement that registered a buffer of a module; null where an event is none. */
function registeredAt({ recording }: Field, id: number): number | null {
  const { events, statements } = recording;
  const { how, name } = events[id];
  const [, own] = how === 'leaf' ? (/\.(\w+)$/.exec(name) ?? []) : [];
  if (own === undefined) return null;
  const call = new RegExp(
    String.raw`\.register_(buffer|parameter)\(\s*(name\s*=\s*)?['"]${own}['"]`,
  );
  const found = statements.flatMap(({ text }, at) => (call.test(text) ? [at] : []));
  return found.length === 1 ? found[0] : null;
}

function reasonOf(field: Field, suspect: Suspect): Blame {
  return (
    oneArray(field, suspect) ??
    cutToWhole(field, suspect) ??
    otherwiseJoined(field, suspect) ??
    wrongMask(field, suspect) ??
    unmaskedWeights(field, suspect) ??
    multipliedMask(field, suspect) ??
    unhiddenBeyond(field, suspect) ??
    sharedArray(field, suspect) ??
    shortTiles(field, suspect) ??
    missingTiles(field, suspect) ??
    wrongPart(field, suspect) ??
    hidesNothing(field, suspect) ??
    zeroed(field, suspect) ??
    thrownAway(field, suspect) ??
    idleFactor(field, suspect) ??
    misnamedOperand(field, suspect.event) ??
    oddLayout(field, suspect) ??
    wrongTokens(field, suspect) ??
    wrongWidth(field, suspect) ??
    wrongNumber(field, suspect) ??
    storedMaxima(field, suspect) ??
    wrongBias(field, suspect) ??
    spoiltOperand(field, suspect) ??
    pickedOfGroup(field, suspect) ??
    valuesAlone(field, suspect) ??
    bareScores(field, suspect) ??
    ofCaller(field, suspect, changedBefore(field, unfinishedOperand(field, suspect))) ??
    wrongArgument(field, suspect) ??
    wrongTable(field, suspect) ??
    wrongOffset(field, suspect) ??
    wrongWhole(field, suspect) ??
    asWritten(field, suspect) ??
    wrongPicked(field, suspect) ??
    otherOrder(field, suspect) ??
    wrongCall(field, suspect) ??
    staleOperand(field, suspect) ??
    halfJacobian(field, suspect) ??
    withoutMaximum(field, suspect) ??
    unknownOperand(field, suspect) ??
    wrongPlace(field, suspect) ??
    wrongStart(field, suspect) ??
    unscaledAt(field, suspect) ?? { event: suspect.event, note: '' }
  );
}

/** What a function that does right elsewhere was given unfinished is its caller's to finish. */
function ofCaller(field: Field, suspect: Suspect, found: Blame | null): Blame | null {
  if (found?.event !== suspect.event) return found;
  const call = wrongCall(field, suspect);
  return call ? { ...found, event: call.event } : found;
}
