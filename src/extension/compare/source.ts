// Where a person's tensors come from: a file, a paused program, a run of their own module.
import type * as vscode from 'vscode';
import type { NamedTensor } from '../../formats/namedTensor.ts';
import type { ComputableSetup } from '../../formats/openSetup.ts';
import type { LeftOut } from '../../formats/parts.ts';

export interface TensorSource extends vscode.Disposable {
  /** What the panel calls it, such as a file's name. */
  readonly name: string;
  /** The file in which a cause is shown to the person, if there is one. */
  readonly file: vscode.Uri | null;
  /** What `read` gives may have changed; without it, it never does. */
  readonly onDidChange?: vscode.Event<void>;
  /** For the setup that they are compared with. Throws an Error whose message is for the person. */
  read(reference: ComputableSetup): Promise<readonly NamedTensor[]>;
  /** Beside the setup's own, which node a tensor of a name is. */
  readonly names?: Readonly<Record<string, string>>;
  /** What is wrong is told elsewhere: not in Problems too. */
  readonly isTold?: boolean;
  /** What the last `read` could not give. */
  readonly leftOut?: readonly LeftOut[];
}
