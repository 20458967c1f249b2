// The messages between extension host and webview: one discriminated union each way. Types only.
import type { Report } from './compare/report.ts';
import type { Binding } from './engine/axes.ts';
import type { NodeId } from './engine/graph.ts';
import type { Part } from './engine/run.ts';
import type { Drawn, Outline } from './stepper/outline.ts';
import type { Move } from './stepper/cursor.ts';
import type { RunView } from './stepper/runView.ts';
import type { StepView } from './stepper/stepView.ts';

/** Whether every tensor has a colour scale of its own, or all values one and all gradients one. */
export type ColorScale = 'perTensor' | 'shared';

/** The person's settings of how numbers and colours are shown. */
export interface Look {
  readonly colorScale: ColorScale;
  /** Significant digits, about. */
  readonly digits: number;
}

export interface ViewSettings extends Look {
  readonly allHeads: boolean;
}

export interface ComparisonView {
  /** Where the person's tensors are from, such as a file's name. */
  readonly trace: string;
  readonly report: Report | null;
  readonly problem: string | null;
}

export interface Ahead {
  /** Tells one such message from another: what a later change made untrue is not agreed to. */
  readonly serial: number;
  /** The latest request that the host had answered then. */
  readonly heard: number;
  readonly steps: Readonly<Partial<Record<Move, StepView>>>;
}

export type ToWebview =
  /** Nothing to show: says why and what to do. */
  | {
      readonly type: 'empty';
      readonly message: string;
      readonly canOpenExample: boolean;
      /** The setup is fine, its computation was stopped. */
      readonly canCompute?: boolean;
    }
  /** What is being computed and how far it is, in [0, 1]; the picture that follows ends it. */
  | {
      readonly type: 'computing';
      readonly what: string;
      /** Null while the setup is read. */
      readonly part: Pick<Part, 'phase' | 'node'> | null;
      readonly share: number;
      /** Where no picture is there yet: the graph, once; then what has been computed since the message before. */
      readonly outline?: Outline;
      readonly drawn?: readonly Drawn[];
    }
  /** A new or changed run, with the step the cursor is at. */
  | {
      readonly type: 'run';
      readonly run: RunView;
      readonly step: StepView;
      readonly settings: ViewSettings;
    }
  /** The cursor or the selection moved. `id` is the request it answers, for measuring. */
  | { readonly type: 'step'; readonly step: StepView; readonly id: number | null }
  /** The steps that single moves from here lead to: the page shows them without waiting for an answer. */
  | { readonly type: 'ahead'; readonly ahead: Ahead }
  /** The move led to the step of `ahead` that the page has shown. */
  | { readonly type: 'agreed'; readonly id: number }
  /** Asked to run to a breakpoint, of which there is none: says so. */
  | { readonly type: 'noBreakpoint'; readonly id: number | null }
  /** The person's tensors against this run, or none; `problem` where they cannot be compared. */
  | { readonly type: 'comparison'; readonly comparison: ComparisonView | null }
  /** Opens one of the causes: "0" for the first, "unknown" where there is none. */
  | { readonly type: 'explain'; readonly cause: string }
  /** The setup cannot be computed now; the last good picture stays. Empty when all is well again. */
  | { readonly type: 'problems'; readonly problems: readonly string[] };

export type FromWebview =
  /** The page is loaded and wants its state. */
  | { readonly type: 'ready' }
  /** `shown`: the serial of the `ahead` whose step is on the screen already. */
  | { readonly type: 'move'; readonly move: Move; readonly id: number; readonly shown?: number }
  | { readonly type: 'goToTick'; readonly tick: number; readonly id: number }
  /** `kind`: to where its value is computed or its gradient complete. */
  | {
      readonly type: 'goToNode';
      readonly node: NodeId;
      readonly kind?: 'value' | 'gradient';
      readonly id: number;
    }
  /** Enters one of the current step's contributions, or one of the terms of the selected entry. */
  | { readonly type: 'goToContribution'; readonly contribution: number; readonly id: number }
  | { readonly type: 'goToTerm'; readonly term: number; readonly id: number }
  /** Binds letters to values: an entry was pointed at. */
  | { readonly type: 'select'; readonly selection: Binding; readonly id: number }
  | { readonly type: 'toggleBreakpoint'; readonly node: NodeId }
  | { readonly type: 'settings'; readonly settings: Pick<ViewSettings, 'allHeads'> }
  /** Asks for the person's tensors. */
  | { readonly type: 'compare' }
  /** A file was dropped on the page: from VS Code by its address, from elsewhere with its bytes. */
  | { readonly type: 'drop'; readonly uri: string }
  | { readonly type: 'dropFile'; readonly name: string; readonly data: ArrayBuffer }
  /** Ends the comparison. */
  | { readonly type: 'closeComparison' }
  /** Stops computing, or begins again. */
  | { readonly type: 'cancel' }
  | { readonly type: 'compute' }
  | { readonly type: 'openSetup' }
  | { readonly type: 'openExample' }
  /** Something in the page failed; the host shows and logs it. */
  | { readonly type: 'failed'; readonly message: string };
