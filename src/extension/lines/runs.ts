// Checks programs: asks what is missing, runs the newest of each, and keeps what is said.
import * as vscode from 'vscode';
import { untilDone } from '../progress.ts';
import { type Interpreter, linesTimeout, pythonInterpreter } from '../settings.ts';
import { isTrusted } from '../trust.ts';
import { isPytestFile } from '../../lineRun/pytestFile.ts';
import { fileName } from '../uris.ts';
import { joinArguments, splitArguments, takesArguments } from './arguments.ts';
import { cellAddresses, type Check, type Checks, textsOf } from './checks.ts';
import type { Answers, Outcome, RunRequest } from './messages.ts';
import { isNotebookFile, notebookAt, saved } from './program.ts';
import { type InferredSetups, savedSetupFor } from './setupStore.ts';
import { Cancelled, type LinesThread } from './thread.ts';

const UNTRUSTED = 'Checking your program runs it, which takes a trusted workspace.';
/** What is done sooner goes without a word, in ms. */
const SOON = 1000;

const ARGUMENTS = 'attention.arguments';
const ANSWERS = 'attention.answers';

export interface RunServices {
  readonly thread: LinesThread;
  readonly checks: Checks;
  readonly inferred: InferredSetups;
  readonly memory: vscode.Memento;
  readonly log: vscode.LogOutputChannel;
  /** The folder `python/attention_lines`. */
  readonly recorder: string;
}

export interface RunOptions {
  /** Only this function counts. */
  readonly function?: string;
  /** Only this one of several attentions, from 1. */
  readonly layer?: number;
  /** All attentions of the program are told. */
  readonly list?: boolean;
  /** The person asks for it now: what is missing is asked for, and why nothing is found is told. */
  readonly isAsked: boolean;
  /** Proven fixes are looked for, too: that takes seconds. */
  readonly fix?: boolean;
}

export class Runs implements vscode.Disposable {
  readonly #services: RunServices;
  readonly #running = new Map<string, AbortController>();
  /** Programs that are being saved in order to be run. */
  readonly #saving = new Set<string>();
  /** The function that was chosen of a program. */
  readonly #functions = new Map<string, string>();
  /** The attention that was chosen of a program with several. */
  readonly #layers = new Map<string, number>();

  constructor(services: RunServices) {
    this.#services = services;
  }

  /** The newest run of a program stops the one before. null where it was stopped, dismissed or failed. */
  async run(program: vscode.Uri, options: RunOptions): Promise<Check | null> {
    const { checks, log } = this.#services;
    if (!(options.isAsked ? isTrusted(UNTRUSTED) : vscode.workspace.isTrusted)) return null;
    const key = program.toString();
    this.#running.get(key)?.abort();
    const running = new AbortController();
    this.#running.set(key, running);
    try {
      return await this.#check(program, options, running);
    } catch (error) {
      if (error instanceof Cancelled || running.signal.aborted) return null;
      const { message } = error as Error;
      log.error(`${fileName(program)}: ${message}`);
      checks.forget(program);
      void vscode.window.showErrorMessage(`${fileName(program)} was not checked: ${message}`);
      return null;
    } finally {
      if (this.#running.get(key) === running) {
        this.#running.delete(key);
        checks.setRunning(program, null);
      }
    }
  }

  async #check(
    program: vscode.Uri,
    options: RunOptions,
    running: AbortController,
  ): Promise<Check | null> {
    const { thread, checks, inferred, log } = this.#services;
    const name = fileName(program);
    if (program.scheme !== 'file')
      throw new Error(`it is on ${program.scheme}:, expected it on a disk. Save it first.`);
    if (!(await this.#save(program))) throw new Error('it has changes that could not be saved');
    const [began, addresses] = [checks.now, cellAddresses(program)];
    const setup = await savedSetupFor(program);
    const args = await this.#arguments(program, setup?.args, options.isAsked);
    if (!args || running.signal.aborted) return null;
    const interpreter = await pythonInterpreter(program);
    const request = await this.#request(program, { interpreter, args, setup, options });
    const words = `${name} with ${interpreter.path} (${interpreter.from})`;
    log.info(`Checking ${words}${args.length > 0 ? `, arguments ${joinArguments(args)}` : ''}`);
    checks.setRunning(program, words);
    const outcome = await untilDone(
      options.fix ? `Looking for a fix of ${words}` : `Checking ${words}`,
      thread.run(request, running.signal, options.fix),
      running,
      SOON,
    );
    if (running.signal.aborted) return null;
    this.#log(name, outcome);
    const { verdict } = outcome;
    const check: Check = {
      ...{ program, interpreter, outcome },
      setup: setup?.uri ?? (verdict?.setup ? inferred.put(program, verdict.setup) : null),
      isInferred: !setup,
      texts: textsOf(program, outcome, addresses),
    };
    checks.set(check, began);
    return check;
  }

  async #save(program: vscode.Uri): Promise<boolean> {
    const key = program.toString();
    this.#saving.add(key);
    try {
      return await saved(program);
    } finally {
      this.#saving.delete(key);
    }
  }

  /** Whether it is being saved in order to be run. */
  isSaving(program: vscode.Uri): boolean {
    return this.#saving.has(program.toString());
  }

  async #request(
    program: vscode.Uri,
    given: {
      readonly interpreter: Interpreter;
      readonly args: readonly string[];
      readonly setup: Awaited<ReturnType<typeof savedSetupFor>>;
      readonly options: RunOptions;
    },
  ): Promise<RunRequest> {
    const { interpreter, args, setup, options } = given;
    const key = program.toString();
    const isNew = options.isAsked && !options.fix && !options.list;
    if (isNew) {
      this.#functions.delete(key);
      this.#layers.delete(key);
    }
    if (options.function !== undefined) this.#functions.set(key, options.function);
    if (options.layer !== undefined) this.#layers.set(key, options.layer);
    const chosen = this.#functions.get(key) ?? setup?.function;
    const layer = this.#layers.get(key);
    const isTest = !isNotebookFile(program) && isPytestFile(program.path, await textOf(program));
    const root = vscode.workspace.getWorkspaceFolder(program)?.uri.fsPath;
    return {
      ...{ recorder: this.#services.recorder, python: interpreter.path, file: program.fsPath },
      ...{ args, timeout: linesTimeout() * 1000, answers: this.answers(program) },
      ...(chosen !== undefined && { function: chosen }),
      ...(layer !== undefined && { layer }),
      ...(options.list && { list: true }),
      ...(isTest && { pytest: true }),
      ...(root !== undefined && { root }),
      ...(setup && { setup: setup.uri.fsPath }),
    };
  }

  #log(name: string, { took, timedOut, outputCut, exception, verdict, problem }: Outcome): void {
    const { log } = this.#services;
    const [recording, judging] = [took.recording, took.judging].map(Math.round);
    log.info(`${name}: ran in ${recording} ms, judged in ${judging} ms`);
    if (timedOut) log.warn(`${name}: it was ended at its limit; what it computed before is judged`);
    if (outputCut) log.warn(`${name}: it printed more than is kept; the rest is left out`);
    if (exception) log.warn(exception.traceback || `${exception.type}: ${exception.message}`);
    if (problem) log.warn(problem);
    for (const note of verdict?.notes ?? []) log.info(note);
  }

  /** What the person has answered about the setup that was inferred. */
  answers(program: vscode.Uri): Answers {
    return this.#services.memory.get<Answers>(`${ANSWERS} ${program.toString()}`) ?? {};
  }

  async answer(program: vscode.Uri, entry: string, value: unknown): Promise<void> {
    const answers = { ...this.answers(program), [entry]: value };
    await this.#services.memory.update(`${ANSWERS} ${program.toString()}`, answers);
  }

  /** Of a saved setup, else as last given, else asked for where the program takes any; undefined for dismissed. */
  async #arguments(
    program: vscode.Uri,
    own: readonly string[] | undefined,
    isAsked: boolean,
  ): Promise<readonly string[] | undefined> {
    const known = this.#services.memory.get<string>(`${ARGUMENTS} ${program.toString()}`);
    if (known !== undefined) return splitArguments(known);
    if (own) return own;
    if (!isAsked || !takesArguments(await textOf(program))) return [];
    return this.askArguments(program);
  }

  /** Asks for them and remembers them; undefined where that is dismissed. */
  async askArguments(program: vscode.Uri): Promise<readonly string[] | undefined> {
    const key = `${ARGUMENTS} ${program.toString()}`;
    const line = await vscode.window.showInputBox({
      title: `Arguments of ${fileName(program)}`,
      prompt: 'As in a terminal, behind the file’s name. Enter for none.',
      value: this.#services.memory.get<string>(key) ?? '',
      ignoreFocusOut: true,
    });
    if (line === undefined) return undefined;
    await this.#services.memory.update(key, line);
    return splitArguments(line);
  }

  dispose(): void {
    for (const running of this.#running.values()) running.abort();
  }
}

async function textOf(program: vscode.Uri): Promise<string> {
  const notebook = notebookAt(program);
  if (notebook)
    return notebook
      .getCells()
      .map(({ document }) => document.getText())
      .join('\n');
  return new TextDecoder().decode(await vscode.workspace.fs.readFile(program));
}
