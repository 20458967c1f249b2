// The messages between the extension host and the inspector's page: one discriminated union each way. Types only.
import type { TextFormat } from './exportText.ts';
import type { Histogram } from './histogram.ts';
import type { Slicing } from './plane.ts';
import type { Tile, TilePlace } from './pyramid.ts';
import type { Reduction } from './reduce.ts';
import type { Statistics } from './statistics.ts';

export interface AxisInfo {
  /** "query j", "axis 0". */
  readonly name: string;
  readonly length: number;
}

/** A tensor that can be asked about. */
export interface TensorInfo {
  readonly id: string;
  /** Another one means that entries have changed. */
  readonly version: number;
  /** "dP", "layers.0.weight", "P − attn". */
  readonly name: string;
  /** What it is at this moment: "1 of 2 contributions so far". */
  readonly note: string;
  readonly axes: readonly AxisInfo[];
  readonly dtype: string;
}

/** `mine...`: the person's own, where they gave it. */
export type WalkKind = 'value' | 'gradient' | 'contribution' | 'mineValue' | 'mineGradient';

/** What of the walk can be looked at now. */
export interface WalkState {
  /** "backward: y → P" */
  readonly caption: string;
  readonly kind: WalkKind;
  /** Those that exist at this step. */
  readonly kinds: readonly WalkKind[];
  readonly nodes: readonly string[];
  /** The node whose tensors are shown; follows the walk unless `held`. */
  readonly node: string;
  readonly held: boolean;
}

export interface FileEntry {
  readonly id: string;
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Of the entries, unpacked. */
  readonly bytes: number;
  readonly compressed: boolean;
}

export interface FileState {
  readonly name: string;
  readonly bytes: number;
  readonly entries: readonly FileEntry[];
}

export interface InspectorState {
  /** Nothing to show: why, and what to do. */
  readonly empty: { readonly message: string; readonly action: 'openExample' | null } | null;
  readonly walk: WalkState | null;
  readonly file: FileState | null;
  readonly shown: TensorInfo | null;
  /** The selected entry of the shown tensor. */
  readonly selected: readonly number[] | null;
  /** What the shown tensor is the difference to; null when it is no difference. */
  readonly against: string | null;
  /** Tensors of the same shape, to subtract. */
  readonly comparable: readonly { readonly id: string; readonly name: string }[];
  readonly pins: readonly TensorInfo[];
  /** Why the shown tensor cannot be read: one line. */
  readonly problem: string | null;
}

interface About {
  readonly tensor: string;
  readonly version: number;
}

/** What the page asks about a tensor. */
export type Question =
  | (About & { readonly kind: 'statistics' })
  | (About & {
      readonly kind: 'tile';
      readonly slicing: Slicing;
      readonly reduction: Reduction;
      readonly place: TilePlace;
    })
  | (About & { readonly kind: 'sums'; readonly slicing: Slicing });

export interface StatisticsAnswer {
  readonly kind: 'statistics';
  readonly statistics: Statistics;
  readonly histogram: Histogram;
  readonly firstNan: readonly number[] | null;
  readonly firstInfinite: readonly number[] | null;
}

export type Answer =
  | StatisticsAnswer
  | { readonly kind: 'tile'; readonly tile: Tile }
  /** float64, one number per row and per column. */
  | { readonly kind: 'sums'; readonly rows: ArrayBuffer; readonly cols: ArrayBuffer };

export type ToInspector =
  | { readonly type: 'state'; readonly state: InspectorState }
  | { readonly type: 'answer'; readonly id: number; readonly answer: Answer }
  /** `message` is '' when the tensor has changed meanwhile: the page asks again anyway. */
  | { readonly type: 'refused'; readonly id: number; readonly message: string }
  /** Long work for the shown tensor: what is done, in [0, 1]; null when it has ended. */
  | { readonly type: 'progress'; readonly what: string; readonly done: number | null };

export type FromInspector =
  | { readonly type: 'ready' }
  | { readonly type: 'ask'; readonly id: number; readonly question: Question }
  /** The answer is not wanted any more. */
  | { readonly type: 'forget'; readonly id: number }
  | { readonly type: 'kind'; readonly kind: WalkKind }
  /** Shows this node's tensors at every step; null follows the walk. */
  | { readonly type: 'hold'; readonly node: string | null }
  /** Shows a pinned tensor or one of the file. */
  | { readonly type: 'show'; readonly tensor: string }
  | { readonly type: 'against'; readonly tensor: string | null }
  | { readonly type: 'select'; readonly tensor: string; readonly index: readonly number[] }
  | { readonly type: 'pin'; readonly tensor: string; readonly pinned: boolean }
  | {
      readonly type: 'copy';
      readonly tensor: string;
      readonly format: TextFormat;
      readonly slicing: Slicing;
    }
  | { readonly type: 'saveNpy'; readonly tensor: string }
  | {
      readonly type: 'savePicture';
      readonly name: string;
      readonly format: 'png' | 'svg';
      readonly data: ArrayBuffer;
    }
  | { readonly type: 'useAsInput'; readonly tensor: string }
  /** Holds the whole file against a setup. */
  | { readonly type: 'compareFile' }
  /** Stops reading the shown tensor. */
  | { readonly type: 'cancel' }
  | { readonly type: 'openExample' }
  | { readonly type: 'failed'; readonly message: string };
