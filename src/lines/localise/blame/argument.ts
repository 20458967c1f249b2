// A number that a function is given, by a call or by default, and that is not what its name says: an axis, a softcap.
import type { HeadConfig } from '../../../engine/config.ts';
import { sizeOf, type Tensor } from '../../../engine/tensor.ts';
import { type Expression, parseStatement, partsOf, pathOf } from '../../expressions/parse.ts';
import { type Rerun, rerunOf } from '../../expressions/rerun.ts';
import { handedOn } from '../../recorded/flow.ts';
import type { Field, Suspect } from '../suspects.ts';
import { rightAs } from './asWritten.ts';
import type { Blame } from './common.ts';
import { callOf } from './calls.ts';

const MOST_AXES = 4;
const MOST_STEPS = 8;

const AXES = Array.from({ length: 2 * MOST_AXES }, (_, n) => n - MOST_AXES);

/** What a parameter of such a name may be; nothing where its name does not say. */
function numbersFor(name: string, config: HeadConfig): readonly number[] {
  if (/^(axis|dim)$/.test(name)) return AXES;
  const { softcap } = config;
  if (/(^|_)(soft_?)?cap$/.test(name) && softcap !== undefined) return [softcap];
  return [];
}

/** The call that gave the number, or the parameter where it is the default. */
export function wrongArgument(field: Field, { event }: Suspect): Blame | null {
  const { recording, catalogue } = field;
  const { events } = recording;
  const { frame } = events[event];
  if (frame === 0) return null;
  const rerun = rerunOf(recording);
  const made = rerun.asItWas(event);
  if (!made) return null;
  for (const operand of made.operands) {
    const { how, value: own, name, frame: its } = events[operand];
    if (how !== 'argument' || own === undefined || its !== frame) continue;
    for (const number of numbersFor(name, catalogue.config)) {
      if (number === own) continue;
      const instead = { shape: [], data: Float64Array.of(number) };
      if (!isRightWith(field, rerun, event, operand, instead)) continue;
      const note = `${name} should be ${number}, not ${own}`;
      return { event, statement: givenAt(field, operand), note };
    }
  }
  return null;
}

/** Whether the statement, or what is computed of its result, is right with another number. */
function isRightWith(
  field: Field,
  rerun: Rerun,
  event: number,
  operand: number,
  instead: Tensor,
): boolean {
  const { recording, flow } = field;
  let at = event;
  let others = new Map([[operand, instead]]);
  for (let step = 0; step < MOST_STEPS; step++) {
    const made = rerun.make(at, others);
    if (!made || sizeOf(made.value.shape) < 2) return false;
    if (rightAs(field, at, made.value).length > 0) return true;
    const { id, frame } = recording.events[at];
    const user = flow.users[at].find(
      (each) =>
        each > id &&
        recording.events[each].frame === frame &&
        handedOn(recording, recording.events[each]) === null,
    );
    if (user === undefined) return false;
    others = new Map([...others, [at, made.value]]);
    at = user;
  }
  return false;
}

/** The statement of the call that does not only hand on what it was given itself, or of the parameter by default. */
function givenAt(field: Field, argument: number): number {
  const { events } = field.recording;
  const { frame, statement } = events[argument];
  const call = callOf(field.recording, frame);
  const given = call === null ? null : givenTo(field, statement, events[call].statement);
  if (call === null || given === 'default') return statement;
  const path = given && pathOf(given);
  const above = events.find(
    ({ id, how, frame: its, name }) =>
      how === 'argument' && its === events[call].frame && name === path && id < argument,
  );
  return above ? givenAt(field, above.id) : events[call].statement;
}

/** What a statement gives to a parameter of the function that it calls; null where that is not read. */
function givenTo(
  { recording: { statements, functions } }: Field,
  parameter: number,
  call: number,
): Expression | 'default' | null {
  const { function: inside, text: name } = statements[parameter];
  const own = functions[inside].name.replace(/^.*\./, '');
  const parameters = statements.flatMap(({ kind, function: other, text }) =>
    kind === 'parameter' && other === inside && text !== 'self' ? [text] : [],
  );
  const read = parseStatement(statements[call].text);
  const calls = read
    ? partsOf(read.value).filter(
        (each) => each.kind === 'call' && pathOf(each.of)?.replace(/^.*\./, '') === own,
      )
    : [];
  const [only] = calls;
  if (calls.length !== 1 || only.kind !== 'call') return null;
  return only.named[name] ?? only.args[parameters.indexOf(name)] ?? 'default';
}
