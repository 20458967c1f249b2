// What the code does not tell of an inferred setup: asked once, the guess first; until it is answered the guess holds.
import * as vscode from 'vscode';
import type { Question } from '../../lines/infer/types.ts';
import { fileName } from '../uris.ts';
import type { Check } from './checks.ts';
import type { Runs } from './runs.ts';

const ANSWER = 'Answer';

const words = (value: unknown): string =>
  typeof value === 'string' ? value : (JSON.stringify(value) ?? '');

/** What has not been answered yet. */
const openQuestions = ({ outcome, program }: Check, runs: Runs): readonly Question[] => {
  const answers = runs.answers(program);
  return (outcome.verdict?.questions ?? []).filter(({ entry }) => !Object.hasOwn(answers, entry));
};

export class Questions {
  readonly #runs: Runs;
  /** Programs and entries that a notice has told of. */
  readonly #told = new Set<string>();

  constructor(runs: Runs) {
    this.#runs = runs;
  }

  /** A notice, once for each entry; nothing waits for it. */
  async tell(check: Check): Promise<void> {
    const key = ({ entry }: Question): string => `${check.program.toString()} ${entry}`;
    const open = openQuestions(check, this.#runs).filter((each) => !this.#told.has(key(each)));
    if (open.length === 0) return;
    for (const each of open) this.#told.add(key(each));
    const guesses = open.map(({ entry, guess }) => `${entry} = ${words(guess)}`).join(', ');
    const message = `${fileName(check.program)} does not tell all of what was meant. Taken for now: ${guesses}.`;
    if ((await vscode.window.showInformationMessage(message, ANSWER)) === ANSWER)
      await this.ask(check);
  }

  /** Asks all that can be answered, and runs again where an answer is not the guess. */
  async ask(check: Check): Promise<void> {
    const { program, outcome } = check;
    const questions = outcome.verdict?.questions ?? [];
    if (questions.length === 0) {
      void vscode.window.showInformationMessage(
        `There is nothing to be asked about the setup of ${fileName(program)}.`,
      );
      return;
    }
    let isOther = false;
    for (const { entry, guess, alternatives, why } of questions) {
      const items = [guess, ...alternatives].map((value, n) => ({
        label: words(value),
        description: n === 0 ? 'taken now' : '',
        value,
        n,
      }));
      const title = `${fileName(program)}: ${entry}?`;
      const choice = await vscode.window.showQuickPick(items, { title, placeHolder: why });
      if (!choice) break;
      await this.#runs.answer(program, entry, choice.n === 0 ? null : choice.value);
      isOther ||= choice.n > 0;
    }
    if (isOther) await this.#runs.run(program, { isAsked: false });
  }
}
