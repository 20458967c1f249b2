// The view "Tensor Inspector" in the side bar: the tensors of the walk in the active panel, and pinned ones.
import * as vscode from 'vscode';
import type { Panels } from '../panels.ts';
import { INSPECTOR_VIEW } from '../views.ts';
import { webviewPage } from '../webviewPage.ts';
import { type Served, serve } from './serve.ts';
import { type Guest, WalkModel } from './walkModel.ts';

export interface InspectorServices {
  readonly extension: vscode.Uri;
  readonly log: vscode.LogOutputChannel;
  openExample(): void;
}

export class InspectorView implements vscode.WebviewViewProvider {
  readonly #panels: Panels;
  readonly #services: InspectorServices;
  readonly #model: WalkModel;
  #view: vscode.WebviewView | null = null;
  #served: Served | null = null;
  #timer: NodeJS.Timeout | undefined;

  constructor(panels: Panels, services: InspectorServices) {
    this.#panels = panels;
    this.#services = services;
    this.#model = new WalkModel((binding) => panels.active()?.select(binding));
    panels.onDidChangeWalk(() => this.#refresh());
  }

  resolveWebviewView(view: vscode.WebviewView): void {
    this.#view = view;
    const { extension, log } = this.#services;
    view.webview.options = {
      enableScripts: true,
      localResourceRoots: [vscode.Uri.joinPath(extension, 'dist')],
    };
    view.webview.html = webviewPage(view.webview, extension, {
      title: 'Tensor Inspector',
      bundle: 'inspector',
      data: { place: 'view' },
    });
    const served = serve(view.webview, this.#model, log, (message) => {
      if (message.type === 'openExample') this.#services.openExample();
    });
    this.#served = served;
    view.onDidChangeVisibility(() => this.#refresh());
    view.onDidDispose(() => {
      served.dispose();
      if (this.#view === view) this.#view = null;
    });
    this.#refresh();
  }

  /** Pins a tensor of a file beside the walk's and shows the view. */
  pin(guest: Guest): void {
    this.#model.addGuest(guest);
    this.#refresh();
    void vscode.commands.executeCommand(`${INSPECTOR_VIEW}.focus`);
  }

  unpin(isGone: (id: string) => boolean): void {
    this.#model.removeGuests(isGone);
    this.#refresh();
  }

  /** After the panel has drawn its step; nothing is computed for a view that nobody sees. */
  #refresh(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (!this.#view?.visible) return;
      this.#model.follow(this.#panels.active()?.session ?? null);
      this.#served?.refresh();
    });
  }
}
