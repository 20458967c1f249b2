// Where a person's tensors come from: a file, a paused program, a run of their own module.
import type * as vscode from 'vscode';
import type { NamedTensor } from '../../formats/namedTensor.ts';

export interface TensorSource extends vscode.Disposable {
  /** What the panel calls it, such as a file's name. */
  readonly name: string;
  /** The file in which a cause is shown to the person, if there is one. */
  readonly file: vscode.Uri | null;
  /** What `read` gives may have changed. */
  readonly onDidChange: vscode.Event<void>;
  /** Throws an Error whose message is for the person. */
  read(): Promise<readonly NamedTensor[]>;
}
