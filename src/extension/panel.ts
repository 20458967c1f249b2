// The panel: a webview with the computation graph of one setup, and the walk over it.
import * as vscode from 'vscode';
import type { Binding } from '../engine/axes.ts';
import type { Graph, NodeId } from '../engine/graph.ts';
import type { Run } from '../engine/run.ts';
import type { ComparisonView, FromWebview, ToWebview } from '../protocol.ts';
import { type About, type SavedSession, Session } from '../stepper/session.ts';
import { type SeenAt, seenAt } from '../stepper/timeline.ts';
import type { Move } from '../stepper/cursor.ts';
import { agreed, LookAhead } from './ahead.ts';
import { Progress } from './computing.ts';
import { answer, moved, runMessage } from './panelMessages.ts';
import { Command } from './commands.ts';
import { BytesSource } from './compare/bytesSource.ts';
import { Comparison } from './compare/comparison.ts';
import { FileSource } from './compare/fileSource.ts';
import type { Told } from './compare/inWorker.ts';
import type { ComparisonProblems } from './compare/problems.ts';
import type { TensorSource } from './compare/source.ts';
import { Computing } from './large.ts';
import { look, onDidChangeLook } from './settings.ts';
import { aboutOf, type SetupModel, setupName } from './setups.ts';
import { isSetup, showText } from './uris.ts';
import { webviewPage } from './webviewPage.ts';

const SAVE_PAUSE = 300; // ms

export interface PanelServices {
  readonly extension: vscode.Uri;
  /** Where the walk is kept over a reload of the window. */
  readonly memory: vscode.Memento;
  readonly log: vscode.LogOutputChannel;
  /** Where what a comparison finds is told beside the panel. */
  readonly found: ComparisonProblems;
  openExample(): void;
}

export class Panel implements vscode.Disposable {
  readonly #panel: vscode.WebviewPanel;
  readonly #model: SetupModel;
  readonly #services: PanelServices;
  readonly #resume: boolean;
  readonly #disposed = new vscode.EventEmitter<void>();
  readonly onDidDispose = this.#disposed.event;
  readonly #walked = new vscode.EventEmitter<void>();
  /** The step, the selection or the run has changed. */
  readonly onDidChangeWalk = this.#walked.event;
  #session: Session | null = null;
  #problems: readonly string[] = [];
  #refreshes = 0;
  readonly #computing: Computing;
  readonly #ahead = new LookAhead();
  /** What the page is told of a run that is being computed. */
  #progress: Progress | null = null;
  #cancelled = false;
  #comparison: Comparison | null = null;
  #compared: ComparisonView | null = null;
  /** The cause that was asked for last: told again to a page that was hidden. */
  #explained: string | null = null;
  /** The next comparison is a new one: it goes to what is wrong first. */
  #isNewComparison = false;
  #saving: NodeJS.Timeout | undefined;

  /** `resume`: go on where the walk was before the window was reloaded. */
  constructor(
    panel: vscode.WebviewPanel,
    model: SetupModel,
    services: PanelServices,
    resume: boolean,
  ) {
    this.#resume = resume;
    this.#panel = panel;
    this.#model = model;
    this.#services = services;
    const worker = vscode.Uri.joinPath(services.extension, 'dist', 'compare.js');
    this.#computing = new Computing(worker.fsPath);
    const icon = (theme: string): vscode.Uri =>
      vscode.Uri.joinPath(services.extension, 'media', 'icons', `panel-${theme}.svg`);
    panel.iconPath = { light: icon('light'), dark: icon('dark') };
    panel.webview.options = {
      enableScripts: true,
      localResourceRoots: [vscode.Uri.joinPath(services.extension, 'dist')],
    };
    const subscriptions = [
      panel.webview.onDidReceiveMessage((message: FromWebview) => this.#receive(message)),
      model.onDidChange(() => this.#refresh()),
      onDidChangeLook(() => this.#sendAll()),
    ];
    panel.onDidDispose(() => {
      clearTimeout(this.#saving);
      this.#save();
      this.#comparison?.dispose();
      this.#refreshes++;
      this.#computing.stop();
      this.#ahead.forget();
      services.found.forget(model.uri);
      vscode.Disposable.from(...subscriptions).dispose();
      this.#disposed.fire();
    });
    panel.webview.html = webviewPage(panel.webview, services.extension, {
      ...{ title: 'Attention', bundle: 'webview' },
      data: { setup: model.uri.toString() },
    });
    const trace = resume ? services.memory.get<string>(this.#traceKey) : undefined;
    this.#attach(trace === undefined ? null : new FileSource(vscode.Uri.parse(trace)));
    void this.#refresh();
  }

  get active(): boolean {
    return this.#panel.active;
  }

  /** The editor group it is in; undefined while it is not shown. */
  get column(): vscode.ViewColumn | undefined {
    return this.#panel.viewColumn;
  }

  get setup(): vscode.Uri {
    return this.#model.uri;
  }

  get session(): Session | null {
    return this.#session;
  }

  /** Selects an entry, as a click on it in the panel does. */
  select(selection: Binding): void {
    this.#receive({ type: 'select', selection, id: -1 });
  }

  /** The nodes and kinds that the position is about. */
  get places(): readonly SeenAt[] {
    return this.#session ? seenAt(this.#session.timeline, this.#session.position) : [];
  }

  /** The source of the person's tensors that are being compared. */
  get source(): TensorSource | null {
    return this.#comparison?.source ?? null;
  }

  /** Holds the person's tensors against this setup from now on; null ends it. The panel disposes the source. */
  async compareWith(source: TensorSource | null): Promise<void> {
    this.#attach(source);
    this.#isNewComparison = source !== null;
    await this.#compare();
  }

  #attach(source: TensorSource | null): void {
    this.#comparison?.dispose();
    this.#explained = null;
    const worker = vscode.Uri.joinPath(this.#services.extension, 'dist', 'compare.js').fsPath;
    this.#comparison = source && new Comparison(this.#model, source, worker);
    source?.onDidChange?.(() => this.#compare());
    const kept = source instanceof FileSource ? source.file.toString() : undefined;
    void this.#services.memory.update(this.#traceKey, kept);
  }

  /** To the first node of the person's that is wrong. */
  goToFirstDivergence(): void {
    const first = this.#compared?.report?.first;
    if (first) this.goTo(first.node, first.kind, true);
  }

  /** To where this node's value is computed or its gradient complete; with `worst` to the entry that is farthest off. */
  goTo(node: NodeId, kind: 'value' | 'gradient', worst = false): void {
    this.#session?.[worst ? 'goToWorst' : 'goToNode'](node, kind);
    this.#stepped();
  }

  async #compare(): Promise<void> {
    const comparison = this.#comparison;
    const compared = comparison && (await comparison.compare());
    if (comparison !== this.#comparison) return;
    this.#compared = compared;
    this.#session?.holdAgainst(comparison?.compared?.tensors ?? []);
    this.#tell();
    this.#send({ type: 'comparison', comparison: compared });
    this.#sendStep();
    // Without a session the comparison runs again as soon as there is one.
    if (!this.#isNewComparison || !this.#session || !compared) return;
    this.#isNewComparison = false;
    this.goToFirstDivergence();
  }

  #tell(): void {
    const setup = this.#model.uri;
    const compared = this.#comparison?.source.isTold ? null : this.#comparison?.compared;
    const file = this.#comparison?.source.file ?? setup;
    if (compared) this.#services.found.show({ setup, file, compared });
    else this.#services.found.forget(setup);
  }

  /** Shows the cause with this mark, and goes to the node where it is. */
  explain(cause: string): void {
    const { report } = this.#compared ?? {};
    const at = report?.causes[Number(cause)] ?? report?.first;
    if (!at) return;
    this.goTo(at.node, at.kind);
    this.#explained = cause;
    this.#send({ type: 'explain', cause });
  }

  reveal(preserveFocus = false): void {
    this.#panel.reveal(undefined, preserveFocus);
  }

  move(move: Move): void {
    if (!this.#session) return;
    this.#send(moved(this.#session, move, null));
    this.#saveSoon();
  }

  /** The walk is elsewhere, and not because the page asked for it. */
  #stepped(): void {
    this.#sendStep();
    this.#saveSoon();
  }

  dispose(): void {
    this.#panel.dispose();
  }

  /** Opens the setup anew. What cannot be computed leaves the last good picture and says why. */
  async #refresh(): Promise<void> {
    const refresh = ++this.#refreshes;
    const isWanted = (): boolean => refresh === this.#refreshes;
    this.#cancelled = false;
    const name = setupName(this.#model.uri);
    if (!this.#session) this.#begin(new Progress(name, null));
    const opened = await this.#model.opened();
    if (!isWanted()) return;
    const errors = opened.problems.filter(({ severity }) => severity === 'error');
    this.#problems = errors.map(({ message }) => message);
    this.#panel.title = `Attention: ${name}`;
    const { graph, config } = opened;
    if (graph && config) {
      try {
        const question = this.#computing.question(graph);
        if (question && !(await this.#asked(name, graph, question))) return;
        const about = aboutOf(opened, this.#model.uri);
        const isSeen = !this.#session && this.#computing.isLarge(graph);
        const progress = new Progress(name, graph, isSeen ? about : null);
        if (!this.#session) this.#begin(progress);
        const tell = (told: Told): void => {
          if (!isWanted()) return;
          this.#progress = progress;
          this.#send(progress.tell(told));
        };
        const result = await this.#computing.compute({ graph, config }, tell);
        if (!isWanted()) return;
        this.#show(result, about);
      } catch (error) {
        if (!isWanted()) return;
        this.#services.log.error(error as Error);
        this.#problems = [`The setup cannot be computed: ${(error as Error).message}`];
      }
    }
    this.#progress = null;
    this.#sendAll();
    if (this.#comparison) await this.#compare();
  }

  /** Says what it takes; whether to go on, and nothing has changed meanwhile. */
  async #asked(name: string, graph: Graph, question: string): Promise<boolean> {
    const refresh = this.#refreshes;
    this.#progress = null;
    this.#problems = [question];
    this.#sendAll();
    const isWanted = await this.#computing.ask(name, graph);
    if (!isWanted || refresh !== this.#refreshes) return false;
    this.#problems = [];
    return true;
  }

  #begin(progress: Progress): void {
    this.#progress = progress;
    this.#send(progress.all);
  }

  /** The picture that is there stays; where there is none, the page offers to begin again. */
  #cancel(): void {
    if (!this.#progress) return;
    this.#refreshes++;
    this.#computing.stop();
    this.#progress = null;
    this.#cancelled = true;
    this.#problems = ['Its computation was cancelled; the next change begins it again.'];
    this.#sendAll();
  }

  #show(result: Run, about: About): void {
    if (this.#session) {
      this.#session.replace(result, about);
      return;
    }
    this.#session = new Session(result, about);
    const saved = this.#resume && this.#services.memory.get<SavedSession>(this.#memoryKey);
    if (saved) this.#session.restore(saved);
  }

  #receive(message: FromWebview): void {
    const isShown = this.#ahead.hears(message);
    switch (message.type) {
      case 'ready':
        this.#sendAll();
        return;
      case 'openSetup':
        void showText(this.#model.uri);
        return;
      case 'cancel':
        this.#cancel();
        return;
      case 'compute':
        void this.#refresh();
        return;
      case 'openExample':
        this.#services.openExample();
        return;
      case 'compare':
        void vscode.commands.executeCommand(Command.Compare, this.#model.uri);
        return;
      case 'drop':
        void this.#drop(vscode.Uri.parse(message.uri));
        return;
      case 'dropFile':
        void this.compareWith(new BytesSource(message.name, new Uint8Array(message.data)));
        return;
      case 'closeComparison':
        void this.compareWith(null);
        return;
      case 'failed':
        this.#services.log.error(`webview: ${message.message}`);
        return;
      default:
    }
    if (!this.#session) return;
    try {
      const session = this.#session;
      const reply = isShown ? agreed(session, message) : answer(session, message, look());
      if (reply) this.#send(reply);
      this.#saveSoon();
    } catch (error) {
      this.#services.log.error(error as Error);
    }
  }

  /** A setup that is dropped is walked; anything else is compared. */
  #drop(file: vscode.Uri): Thenable<unknown> {
    if (isSetup(file)) return vscode.commands.executeCommand(Command.Step, file);
    return this.compareWith(new FileSource(file));
  }

  #sendAll(): void {
    if (this.#session) {
      this.#send(runMessage(this.#session, look()));
      this.#send({ type: 'problems', problems: this.#problems });
      this.#send({ type: 'comparison', comparison: this.#compared });
      if (this.#explained !== null) this.#send({ type: 'explain', cause: this.#explained });
    } else if (this.#problems.length > 0) {
      const message = this.#problems.join('\n');
      this.#send({ type: 'empty', message, canOpenExample: true, canCompute: this.#cancelled });
    }
    if (this.#progress) this.#send(this.#progress.all);
  }

  #sendStep(): void {
    if (this.#session) this.#send({ type: 'step', step: this.#session.stepView(), id: null });
  }

  #send(message: ToWebview): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- VS Code's, not the window's
    void this.#panel.webview.postMessage(message);
    if (!/^(run|step|agreed)$/.test(message.type)) return;
    if (this.#session) this.#ahead.after(this.#session, (next) => this.#send(next));
    this.#walked.fire();
  }

  get #memoryKey(): string {
    return `walk ${this.#model.uri.toString()}`;
  }

  /** Where the file that is compared is kept over a reload of the window. */
  get #traceKey(): string {
    return `trace ${this.#model.uri.toString()}`;
  }

  #saveSoon(): void {
    clearTimeout(this.#saving);
    this.#saving = setTimeout(() => this.#save(), SAVE_PAUSE);
  }

  #save(): void {
    if (this.#session) void this.#services.memory.update(this.#memoryKey, this.#session.save());
  }
}
