// "Your own lines" in the editor: checks a Python program or a notebook that knows nothing of us, and says which line is wrong.
import * as vscode from 'vscode';
import { Command } from '../commands.ts';
import type { Panels } from '../panels.ts';
import { runsOnSave } from '../settings.ts';
import { fileName } from '../uris.ts';
import { type Check, Checks } from './checks.ts';
import { attentionLabels } from './attentionLabels.ts';
import { Fixes } from './fixes.ts';
import { Hovers } from './hovers.ts';
import { LineValues } from './inlineValues.ts';
import { Lenses, verdictWords } from './lenses.ts';
import { Marks } from './marks.ts';
import { LineProblems } from './problems.ts';
import { isNotebookFile, isPythonFile, programUri, reveal, showLine } from './program.ts';
import { Questions } from './questions.ts';
import { Runs } from './runs.ts';
import { offersOf } from './seems.ts';
import { InferredSetups, saveInferred } from './setupStore.ts';
import { LinesStatus } from './status.ts';
import { LinesSource } from './tensorSource.ts';
import { LinesThread } from './thread.ts';
import { placeAt, WalkMarker } from './walkMarker.ts';

export interface LinesServices {
  readonly extension: vscode.Uri;
  readonly memory: vscode.Memento;
  readonly log: vscode.LogOutputChannel;
  readonly panels: Panels;
}

const SETTING = 'Choose the Interpreter';
const SHOW_OUTPUT = 'Show the Output';

/** What a lens says of what stands below it. */
interface Chosen {
  readonly name: string;
  /** From 0. */
  readonly line: number;
  readonly endLine: number;
}

export class LinesFeature implements vscode.Disposable {
  readonly #services: LinesServices;
  readonly #checks = new Checks();
  readonly #inferred = new InferredSetups();
  readonly #thread: LinesThread;
  readonly #runs: Runs;
  readonly #questions: Questions;
  readonly #fixes: Fixes;
  readonly #subscriptions: vscode.Disposable;
  #hasLines = false;
  readonly #timers = new Map<string, NodeJS.Timeout>();

  constructor(services: LinesServices) {
    this.#services = services;
    const { extension, memory, log, panels } = services;
    this.#thread = new LinesThread({
      bundle: vscode.Uri.joinPath(extension, 'dist', 'lines.js').fsPath,
      onOutput: (text, stream) => log[stream === 'stdout' ? 'info' : 'warn'](text.trimEnd()),
    });
    const checks = this.#checks;
    this.#runs = new Runs({
      ...{ thread: this.#thread, checks, inferred: this.#inferred, memory, log },
      recorder: vscode.Uri.joinPath(extension, 'python', 'attention_lines').fsPath,
    });
    this.#questions = new Questions(this.#runs);
    this.#fixes = new Fixes(checks, this.#runs);
    this.#subscriptions = vscode.Disposable.from(
      checks,
      this.#runs,
      new vscode.Disposable(() => this.#thread.dispose()),
      this.#inferred.register(),
      new Marks(checks),
      new LineProblems(checks),
      new Hovers(checks).register(),
      new Lenses(checks).register(),
      new LineValues(checks).register(),
      new LinesStatus(checks),
      new WalkMarker(panels, checks),
      this.#fixes.register(),
      this.#commands(),
      vscode.workspace.onDidSaveTextDocument((document) => this.#saved(document.uri)),
      vscode.workspace.onDidSaveNotebookDocument(({ uri }) => this.#saved(uri)),
      vscode.window.onDidChangeActiveTextEditor(() => this.#setContext()),
      checks.onDidChange((program) => this.#follow(program)),
    );
    this.#setContext();
  }

  dispose(): void {
    this.#subscriptions.dispose();
  }

  #commands(): vscode.Disposable {
    const { registerCommand } = vscode.commands;
    return vscode.Disposable.from(
      registerCommand(Command.CheckPython, (given?: unknown, chosen?: unknown) =>
        this.#check(given, chosen as Chosen | undefined),
      ),
      registerCommand(Command.ProgramArguments, (given?: unknown) => this.#askArguments(given)),
      registerCommand(Command.SaveInferred, (given?: unknown) => this.#save(given)),
      registerCommand(Command.AnswerQuestions, (given?: unknown) =>
        this.#withCheck(given, (check) => this.#questions.ask(check)),
      ),
      registerCommand(Command.OtherAttention, (given?: unknown) =>
        this.#withCheck(given, (check) => this.#askOther(check)),
      ),
      registerCommand(Command.FindFix, (given?: unknown) =>
        this.#withCheck(given, (check) => this.#fixes.find(check)),
      ),
      registerCommand(Command.GoToLineNode, (...given: unknown[]) => this.#goToNode(given)),
      registerCommand(Command.OpenLinesPanel, (given?: unknown) =>
        this.#withCheck(given, (check) => this.#openPanel(check)),
      ),
      registerCommand(Command.FirstWrongLine, (given?: unknown) =>
        this.#withCheck(given, ({ program, outcome }) => {
          const first = outcome.verdict?.first;
          return first ? reveal(program, first) : undefined;
        }),
      ),
    );
  }

  /** Which of several layers or calls is checked. */
  async #askOther({ program }: Check): Promise<void> {
    const listed = await this.#runs.run(program, { isAsked: true, list: true });
    const all = listed?.outcome.attentions;
    if (!all) return;
    const name = fileName(program);
    if (all.length < 2) {
      void vscode.window.showInformationMessage(
        `${name} computes ${all.length === 0 ? 'no attention that is known' : 'one attention'}.`,
      );
      return;
    }
    const items = attentionLabels(all).map((each, n) => ({ ...each, layer: n + 1 }));
    const title = `${name}: which attention?`;
    const placeHolder = `${all.length} attentions, in the order in which they are computed`;
    const choice = await vscode.window.showQuickPick(items, { title, placeHolder });
    const check = choice && (await this.#runs.run(program, { isAsked: true, layer: choice.layer }));
    if (check) this.#say(check);
  }

  /** By what it seems to be, the editor's title has a button. */
  #setContext(): void {
    const document = vscode.window.activeTextEditor?.document;
    const seems =
      document?.languageId === 'python' &&
      offersOf(document.getText(), document.uri.path).length > 0;
    void vscode.commands.executeCommand('setContext', 'attention.seemsAttention', seems);
  }

  async #check(given: unknown, chosen: Chosen | undefined): Promise<void> {
    const program = programUri(given);
    if (!program || !(isPythonFile(program) || isNotebookFile(program))) {
      void vscode.window.showInformationMessage(
        'Open the Python file or the notebook that computes attention first.',
      );
      return;
    }
    let check = await this.#runs.run(program, { isAsked: true });
    // Another attention of the same file was meant.
    if (check && chosen && !coversLines(check, chosen))
      check = (await this.#runs.run(program, { isAsked: true, function: chosen.name })) ?? check;
    if (check) this.#say(check);
  }

  /** After a check that was asked for: the panel, or why there is none. */
  #say(check: Check): void {
    const { outcome, program, interpreter } = check;
    const name = fileName(program);
    const { verdict, problem, lacksModule, exception, blind } = outcome;
    if (verdict) {
      if (verdict.first) showLine(program, verdict.first);
      this.#openPanel(check);
      void this.#questions.tell(check);
      if (verdict.verdict === 'match')
        void vscode.window.showInformationMessage(`${name}: ${verdictWords(check).slice(2)}.`);
      return;
    }
    const [message] = (exception?.message ?? '').split('\n');
    const words = lacksModule
      ? `${interpreter.path} (${interpreter.from}) lacks what ${name} imports: ${message}.`
      : [problem, ...blind.map((each) => `Line ${each.line}: ${each.message}`)].join('. ');
    const button = lacksModule ? SETTING : SHOW_OUTPUT;
    void vscode.window.showErrorMessage(words, button).then((answer) => {
      if (answer === SHOW_OUTPUT) this.#services.log.show(true);
      if (answer === SETTING)
        void vscode.commands.executeCommand('workbench.action.openSettings', 'attention.python');
    });
  }

  /** The panel of the program's setup, with the person's tensors, at what is wrong first. */
  #openPanel(check: Check): void {
    const { setup, outcome } = check;
    if (!setup || !outcome.verdict) return;
    const panel = this.#services.panels.showBeside(setup);
    if (panel.source instanceof LinesSource) panel.goToFirstDivergence();
    else
      void panel.compareWith(new LinesSource(check.program, outcome.verdict.tensors)).then(() => {
        const first = outcome.verdict?.first;
        if (first?.node && first.kind !== 'other') panel.goTo(first.node, first.kind, true);
      });
  }

  /** An open panel follows what is said of its program. */
  #follow(program: vscode.Uri): void {
    const hasLines = this.#checks.all.length > 0;
    if (hasLines !== this.#hasLines)
      void vscode.commands.executeCommand('setContext', 'attention.hasLines', hasLines);
    this.#hasLines = hasLines;
    const check = this.#checks.of(program);
    const panel = check?.setup && this.#services.panels.of(check.setup);
    const tensors = check?.outcome.verdict?.tensors;
    if (panel?.source instanceof LinesSource && tensors) panel.source.set(tensors);
  }

  #goToNode([program, node, kind]: readonly unknown[]): void {
    if (typeof program === 'string' && typeof node === 'string') {
      this.#goTo(vscode.Uri.parse(program), node, kind === 'gradient' ? 'gradient' : 'value');
      return;
    }
    const editor = vscode.window.activeTextEditor;
    const shown = editor && this.#checks.shown(editor.document);
    // From the menu of the line numbers a line is given, from 1.
    const clicked = (program as { lineNumber?: number } | undefined)?.lineNumber;
    const at = clicked === undefined ? editor?.selection.active.line : clicked - 1;
    const place = shown && at !== undefined ? placeAt(shown.details, at) : null;
    if (!shown || !place) {
      void vscode.window.showInformationMessage(
        'This line computes no node that is known. Check the file first: "Attention: Check This Python File".',
      );
      return;
    }
    this.#goTo(shown.check.program, place.node, place.kind);
  }

  #goTo(program: vscode.Uri, node: string, kind: 'value' | 'gradient'): void {
    const check = this.#checks.of(program);
    if (!check?.setup || !check.outcome.verdict) return;
    const panel = this.#services.panels.showBeside(check.setup);
    if (panel.source) panel.goTo(node, kind);
    else
      void panel
        .compareWith(new LinesSource(program, check.outcome.verdict.tensors))
        .then(() => panel.goTo(node, kind));
  }

  async #withCheck(given: unknown, work: (check: Check) => void | Promise<void>): Promise<void> {
    const program = programUri(given);
    const document = vscode.window.activeTextEditor?.document;
    const check =
      (program && this.#checks.of(program)) ?? (document && this.#checks.checkOf(document));
    if (check) await work(check);
    else
      void vscode.window.showInformationMessage(
        'Nothing has been checked here yet: "Attention: Check This Python File" does.',
      );
  }

  async #askArguments(given: unknown): Promise<void> {
    const program = programUri(given);
    if (program && (await this.#runs.askArguments(program))) await this.#check(program, undefined);
  }

  #save(given: unknown): Promise<void> {
    return this.#withCheck(given, async ({ program, outcome }) => {
      const setup = outcome.verdict?.setup;
      if (!setup) {
        void vscode.window.showInformationMessage(
          `The setup of ${fileName(program)} is a file already.`,
        );
        return;
      }
      const written = await saveInferred(program, setup);
      if (!written) return;
      await vscode.window.showTextDocument(written, { viewColumn: vscode.ViewColumn.Beside });
      await this.#runs.run(program, { isAsked: false });
    });
  }

  /** Runs again what this file is of; several saved at once run once. */
  #saved(uri: vscode.Uri): void {
    if (!runsOnSave() || !vscode.workspace.isTrusted) return;
    const key = uri.toString();
    for (const { program, texts, setup } of this.#checks.all) {
      const own = program.toString();
      if (own !== key && !texts.has(key) && setup?.toString() !== key) continue;
      if (this.#runs.isSaving(program)) continue;
      clearTimeout(this.#timers.get(own));
      this.#timers.set(
        own,
        setTimeout(() => void this.#runs.run(program, { isAsked: false }), 0),
      );
    }
  }
}

/** Whether something is said of the lines below a lens. */
function coversLines({ outcome, program }: Check, { line, endLine }: Chosen): boolean {
  const details = outcome.verdict?.details ?? [];
  return (
    isNotebookFile(program) ||
    details.some(
      ({ line: each }) =>
        fileName(program) === each.file && each.line - 1 >= line && each.line - 1 <= endLine,
    )
  );
}
