// The tensors of one file: which are there, which one is shown, and its entries when asked for. Knows no vscode.
import { sameShape } from '../../engine/tensor.ts';
import { type ByteSource, paged } from '../../formats/ranges/byteSource.ts';
import {
  entriesOf,
  type FileTensor,
  stridesOf,
  type TensorList,
} from '../../formats/ranges/fileTensor.ts';
import type { Versioned } from '../../inspect/answers.ts';
import type { FromInspector, InspectorState, TensorInfo } from '../../inspect/messages.ts';
import { difference, type TensorSource } from '../../inspect/source.ts';
import { breather, Cancelled } from '../inspector/breathe.ts';

/** Read bytes of a tensor that are kept. */
const MOST_CACHED = 2 ** 24;
const MINUS = ' − ';

export interface FileModelOptions {
  readonly name: string;
  /** Makes the ids of different files differ. */
  readonly prefix: string;
  readonly changed: () => void;
  readonly progress: (tensor: string, done: number | null) => void;
}

/** A tensor whose bytes are opened (and unpacked) when they are first read. */
interface Opened {
  readonly source: TensorSource;
  readonly cancel: () => void;
}

export class FileModel {
  readonly #options: FileModelOptions;
  #list: TensorList = { tensors: [], unreadable: [] };
  #size = 0;
  #problem: string | null = null;
  #version = 0;
  #shown: string | null = null;
  #against: string | null = null;
  readonly #selected = new Map<string, readonly number[]>();
  readonly #problems = new Map<string, string>();
  /** Only what is looked at: unpacked tensors may be large. */
  readonly #opened = new Map<string, Opened>();

  constructor(options: FileModelOptions) {
    this.#options = options;
  }

  /** The file was read or read anew. */
  load(list: TensorList, size: number): void {
    this.#list = list;
    this.#size = size;
    this.#problem = null;
    this.#forgetAll();
    if (this.#shown === null || !this.tensor(this.#shown))
      this.#shown = list.tensors.length > 0 ? this.#id(0) : null;
    this.#options.changed();
  }

  /** The file cannot be read: one line. */
  fail(message: string): void {
    this.load({ tensors: [], unreadable: [] }, 0);
    this.#problem = message;
    this.#options.changed();
  }

  tensor(id: string): FileTensor | null {
    const [prefix, n] = id.split(':');
    return prefix === this.#options.prefix ? (this.#list.tensors[Number(n)] ?? null) : null;
  }

  find(id: string): Versioned | null {
    const parts = id.split(MINUS);
    if (parts.length === 2) {
      const [a, b] = parts.map((part) => this.find(part)?.source);
      if (!a || !b || !sameShape(a.shape, b.shape)) return null;
      return { version: this.#version, source: difference(a, b) };
    }
    const tensor = this.tensor(id);
    if (!tensor) return null;
    const opened = this.#opened.get(id) ?? this.#open(id, tensor);
    this.#opened.set(id, opened);
    return { version: this.#version, source: opened.source };
  }

  receive(message: FromInspector): boolean {
    switch (message.type) {
      case 'show':
        this.#shown = message.tensor;
        this.#problems.delete(message.tensor);
        this.#forgetOthers();
        return true;
      case 'against':
        this.#against = message.tensor;
        this.#forgetOthers();
        return true;
      case 'select':
        this.#selected.set(message.tensor.split(MINUS)[0], message.index);
        return true;
      case 'cancel':
        for (const { cancel } of this.#opened.values()) cancel();
        return true;
      default:
        return false;
    }
  }

  state(): InspectorState {
    const { name } = this.#options;
    const { tensors, unreadable } = this.#list;
    const isEmpty = tensors.length + unreadable.length === 0;
    const message =
      this.#problem ?? (this.#size > 0 ? `${name} holds no tensors.` : `Reading ${name} …`);
    const shown = this.#shown === null ? null : this.info(this.#shown);
    const comparable = tensors.flatMap((tensor, n) =>
      shown &&
      this.#id(n) !== this.#shown &&
      sameShape(
        tensor.shape,
        shown.axes.map(({ length }) => length),
      )
        ? [{ id: this.#id(n), name: tensor.name }]
        : [],
    );
    const against = comparable.find(({ id }) => id === this.#against) ?? null;
    const problems = [
      ...(this.#shown === null ? [] : [this.#problems.get(this.#shown)]),
      ...unreadable.map(({ problem }) => problem),
    ].filter((each) => each !== undefined);
    return {
      walk: null,
      empty: isEmpty ? { message, action: null } : null,
      file: {
        name,
        bytes: this.#size,
        entries: tensors.map((each, n) => ({
          id: this.#id(n),
          ...{
            name: each.name,
            dtype: each.dtype,
            shape: each.shape,
            bytes: each.bytes,
            compressed: each.compressed,
          },
        })),
      },
      shown:
        shown && against
          ? {
              ...shown,
              id: `${shown.id}${MINUS}${against.id}`,
              name: `${shown.name} − ${against.name}`,
              note: 'difference',
            }
          : shown,
      selected: this.#shown === null ? null : (this.#selected.get(this.#shown) ?? null),
      against: against?.id ?? null,
      comparable,
      pins: [],
      problem: problems.length > 0 ? problems.join('\n') : null,
    };
  }

  info(id: string): TensorInfo | null {
    const tensor = this.tensor(id);
    return (
      tensor && {
        id,
        version: this.#version,
        name: tensor.name,
        note: `from ${this.#options.name}`,
        axes: tensor.shape.map((length, axis) => ({ name: `axis ${axis}`, length })),
        dtype: `${tensor.dtype}${tensor.littleEndian ? '' : ', big-endian'}${tensor.fortranOrder ? ', Fortran order' : ''}`,
      }
    );
  }

  dispose(): void {
    this.#forgetAll();
  }

  #id(n: number): string {
    return `${this.#options.prefix}:${n}`;
  }

  #open(id: string, tensor: FileTensor): Opened {
    const { name, progress, changed } = this.#options;
    let isCancelled = false;
    let bytes: Promise<ByteSource> | null = null;
    const open = async (): Promise<ByteSource> => {
      try {
        const options = {
          breathe: breather(() => isCancelled),
          progress: (done: number) => progress(id, done),
        };
        return paged(await tensor.open(options), MOST_CACHED);
      } catch (error) {
        const isMeant = error instanceof Cancelled;
        const line = isMeant
          ? 'Reading was cancelled: choose the tensor again to read it.'
          : (error as Error).message;
        this.#problems.set(id, line);
        changed();
        throw error;
      } finally {
        progress(id, null);
      }
    };
    const read = async (offset: number, length: number): Promise<Float64Array> => {
      if (isCancelled) throw new Cancelled('cancelled');
      bytes ??= open();
      return entriesOf(tensor, await bytes, name).read(offset, length);
    };
    return {
      source: {
        shape: tensor.shape,
        strides: stridesOf(tensor),
        dtype: tensor.dtype,
        entries: { size: tensor.shape.reduce((size, length) => size * length, 1), read },
      },
      cancel: () => {
        isCancelled = true;
        this.#opened.delete(id);
        if (this.#problems.has(id)) return;
        this.#problems.set(id, 'Reading was cancelled: choose the tensor again to read it.');
        changed();
      },
    };
  }

  #forgetOthers(): void {
    for (const id of this.#opened.keys())
      if (id !== this.#shown && id !== this.#against) this.#opened.delete(id);
    this.#version++;
  }

  #forgetAll(): void {
    this.#opened.clear();
    this.#problems.clear();
    this.#version++;
  }
}
