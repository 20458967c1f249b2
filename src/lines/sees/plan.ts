// Which statements of a program call the person's attention, what they are given, and what comes out.
import type { Judged } from '../judge.ts';
import type { Recording } from '../recorded/recording.ts';
import { callsIn, rootOf } from './calls.ts';
import { Needs } from './needs.ts';
import { attributeOutcomes, returned } from './outcomes.ts';
import { NoTest, type Plan } from './types.ts';

/** Throws NoTest. */
export function planOf(recording: Recording, judged: Judged, only?: string): Plan {
  const found = callsIn(recording, judged, only);
  if (found.calls.length === 0)
    throw new NoTest('no function of it is called with tensors, which could be given others');
  const { statements, functions, files } = recording;
  const needs = new Needs(found);
  const calls = found.calls.map((call) => {
    const text = needs.call(call);
    for (const target of statements[call.statement].targets) needs.bound.add(rootOf(target));
    return text;
  });
  for (const name of globalsRead(recording)) {
    const isKnown = needs.bound.has(name) || needs.given.has(name) || found.own.has(name);
    const module = functions.findIndex((each) => each.name === '' && each.file === 0);
    if (!isKnown) needs.giveAll(name, Infinity, module, true);
  }
  const outcomes = [...returned(found), ...attributeOutcomes(found, [...needs.given.values()])];
  if (outcomes.length === 0)
    throw new NoTest('nothing that its functions return is the output or a gradient');
  return {
    imports: [...needs.imports],
    given: [...needs.given.values()],
    making: needs.making,
    ...{ calls, outcomes },
    isTorch: files.some(({ source }) => /^\s*(import|from) torch\b/m.test(source)),
  };
}

/** Variables of the module that functions read without making them. */
function globalsRead({ statements, functions }: Recording): string[] {
  const own = new Map<number, Set<string>>();
  for (const { function: inside, targets, kind, text } of statements) {
    const names = own.get(inside) ?? new Set<string>();
    own.set(inside, names);
    for (const target of targets) names.add(rootOf(target));
    if (kind === 'parameter' || kind === 'argument') names.add(rootOf(text));
  }
  const read = statements.flatMap(({ function: inside, loads, file }) =>
    file === 0 && functions[inside].name !== ''
      ? loads.map(rootOf).filter((name) => !own.get(inside)!.has(name))
      : [],
  );
  const module = own.get(functions.findIndex(({ name, file }) => name === '' && file === 0));
  return [...new Set(read)].filter((name) => module?.has(name));
}
