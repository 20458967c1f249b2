// The variables of a paused program that the person has compared so far. What was read stays as it was then.
import * as vscode from 'vscode';
import type { NamedTensor } from '../../formats/namedTensor.ts';
import type { TensorSource } from '../compare/source.ts';

export class ProgramSource implements TensorSource {
  readonly file = null;
  /** The debug session's id. */
  readonly program: string;
  readonly #title: string;
  readonly #changed = new vscode.EventEmitter<void>();
  readonly onDidChange = this.#changed.event;
  readonly #tensors = new Map<string, NamedTensor>();

  constructor(program: string, title: string) {
    this.program = program;
    this.#title = title;
  }

  get name(): string {
    const count = this.#tensors.size;
    return `${count === 1 ? '1 variable' : `${count} variables`} of ${this.#title}`;
  }

  /** The node that each expression was said to be, "P" or "dP". */
  get names(): Readonly<Record<string, string>> {
    return Object.fromEntries([...this.#tensors].map(([node, { name }]) => [name, node]));
  }

  /** In place of what was compared with this node before. */
  set(node: string, tensor: NamedTensor): void {
    for (const [other, { name }] of this.#tensors)
      if (name === tensor.name) this.#tensors.delete(other);
    this.#tensors.set(node, tensor);
    this.#changed.fire();
  }

  read(): Promise<readonly NamedTensor[]> {
    return Promise.resolve([...this.#tensors.values()]);
  }

  dispose(): void {
    this.#changed.dispose();
  }
}
