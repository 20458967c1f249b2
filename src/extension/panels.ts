// The open panels, one per setup: opened by command, found again, restored after a reload of the window.
import * as vscode from 'vscode';
import { Panel, type PanelServices } from './panel.ts';
import { panelLocation } from './settings.ts';
import type { SetupModels } from './setups.ts';
import { editedFile } from './uris.ts';
import { PANEL_TYPE } from './views.ts';

export class Panels implements vscode.WebviewPanelSerializer {
  readonly #panels = new Map<string, Panel>();
  readonly #models: SetupModels;
  readonly #services: PanelServices;
  readonly #fallback: vscode.Uri;
  #last: Panel | null = null;
  readonly #context = new Map<string, boolean>();
  readonly #walked = new vscode.EventEmitter<void>();
  /** The active panel is another one, or its walk has changed. */
  readonly onDidChangeWalk = this.#walked.event;

  /** `fallback` is the setup of a restored panel that does not know its own. */
  constructor(models: SetupModels, services: PanelServices, fallback: vscode.Uri) {
    this.#models = models;
    this.#services = services;
    this.#fallback = fallback;
  }

  /** The panel of a setup, if it is open. */
  of(setup: vscode.Uri): Panel | undefined {
    return this.#panels.get(setup.toString());
  }

  /** Shows a setup's panel beside the code that it is of, which keeps the focus. */
  showBeside(setup: vscode.Uri): Panel {
    return this.#show(setup, {
      viewColumn: this.#columnFor(setup, vscode.ViewColumn.Beside),
      preserveFocus: true,
    });
  }

  /** Shows a setup's panel, beside the editor if the setup's text is what is being looked at. */
  show(setup: vscode.Uri): Panel {
    return this.#show(setup, { viewColumn: this.#columnFor(setup), preserveFocus: false });
  }

  #show(
    setup: vscode.Uri,
    place: { readonly viewColumn: vscode.ViewColumn; readonly preserveFocus: boolean },
  ): Panel {
    const open = this.#panels.get(setup.toString());
    if (open) {
      open.reveal(place.preserveFocus);
      return open;
    }
    const webviewPanel = vscode.window.createWebviewPanel(PANEL_TYPE, 'Attention', place);
    return this.#adopt(webviewPanel, setup, false);
  }

  /** By the setting; without one where a panel is, else beside the setup's text. */
  #columnFor(setup: vscode.Uri, otherwise = vscode.ViewColumn.Active): vscode.ViewColumn {
    const location = panelLocation();
    if (location === 'active') return vscode.ViewColumn.Active;
    if (location === 'beside') return vscode.ViewColumn.Beside;
    const open = [...this.#panels.values()].find(({ column }) => column !== undefined)?.column;
    if (open !== undefined) return open;
    const isShown = editedFile()?.toString() === setup.toString();
    return isShown ? vscode.ViewColumn.Beside : otherwise;
  }

  /** The setup whose panel compares this trace. */
  comparedWith(trace: vscode.Uri): vscode.Uri | undefined {
    const all = [...this.#panels.values()];
    return all.find(({ source }) => source?.file?.toString() === trace.toString())?.setup;
  }

  /** The panel with the focus, else the one that had it last. */
  active(): Panel | null {
    return [...this.#panels.values()].find(({ active }) => active) ?? this.#last;
  }

  deserializeWebviewPanel(
    panel: vscode.WebviewPanel,
    state: { setup?: string } | undefined,
  ): Promise<void> {
    const setup = state?.setup ? vscode.Uri.parse(decodeURIComponent(state.setup)) : this.#fallback;
    this.#adopt(panel, setup, true);
    return Promise.resolve();
  }

  /** Which commands the palette offers. */
  #setContext(): void {
    const context = {
      hasPanel: this.#panels.size > 0,
      isComparing: [...this.#panels.values()].some(({ source }) => source !== null),
    };
    for (const [key, value] of Object.entries(context))
      if (this.#context.get(key) !== value) {
        this.#context.set(key, value);
        void vscode.commands.executeCommand('setContext', `attention.${key}`, value);
      }
  }

  #adopt(webviewPanel: vscode.WebviewPanel, setup: vscode.Uri, resume: boolean): Panel {
    const key = setup.toString();
    this.#panels.get(key)?.dispose();
    const { model, release } = this.#models.acquire(setup);
    const panel = new Panel(webviewPanel, model, this.#services, resume);
    this.#panels.set(key, panel);
    this.#last = panel;
    this.#setContext();
    webviewPanel.onDidChangeViewState(() => {
      if (panel.active) this.#last = panel;
      this.#walked.fire();
    });
    panel.onDidChangeWalk(() => {
      this.#setContext();
      this.#walked.fire();
    });
    panel.onDidDispose(() => {
      release.dispose();
      if (this.#panels.get(key) === panel) this.#panels.delete(key);
      if (this.#last === panel) this.#last = null;
      this.#setContext();
      this.#walked.fire();
    });
    return panel;
  }
}
