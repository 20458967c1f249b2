// A recorded run of a person's program: its statements, and every tensor that each of them bound or changed.
import { isZero, scalar, sizeOf, type Tensor } from '../../engine/tensor.ts';
import { byteSize, decode, type DType, isDType } from '../../formats/dtype.ts';
import { FormatError } from '../../formats/formatError.ts';

/** The last 8 bytes of a recording. */
const MAGIC = 'ATLINES1';
/** Length of the header and magic. */
const TAIL = 16;

export interface SourceFile {
  /** Relative to the folder of the chosen file. */
  readonly path: string;
  readonly source: string;
}

export interface Cell {
  /** Index among all cells from 0. */
  readonly cell: number;
  readonly source: string;
  readonly firstLine: number;
}

export interface FunctionPlace {
  readonly file: number;
  /** "MHA.forward"; "" is the module. */
  readonly name: string;
  readonly line: number;
  readonly endLine: number;
  readonly calls: number;
}

/** Lines and columns count from 1, columns in characters, the end exclusive; in a notebook lines count within the cell. */
export interface Place {
  readonly line: number;
  readonly endLine: number;
  readonly column: number;
  readonly endColumn: number;
}

export interface Statement extends Place {
  readonly file: number;
  readonly cell?: number;
  readonly function: number;
  /** 'assign', 'augmented', 'return', 'expression', 'for', 'argument', 'parameter', ... */
  readonly kind: string;
  readonly text: string;
  /** Names, and dotted and subscripted texts, that it reads, with keys as in the names of events. */
  readonly loads: readonly string[];
  readonly targets: readonly string[];
}

export type How =
  | 'bind'
  | 'write'
  | 'update'
  | 'loop-end'
  | 'argument'
  | 'return'
  | 'leaf'
  | 'gradient'
  | 'expression';

/** One index of a subscript; null is a new axis. */
export type IndexPart = number | readonly [start: number, stop: number, step: number] | null;

/** One tensor or number that a statement bound or changed, in the order of time. */
export interface Event extends Partial<Place> {
  /** Its place in `events`. */
  readonly id: number;
  readonly statement: number;
  /** Which call of a function; 0 is the module. */
  readonly frame: number;
  /** Iteration of each enclosing loop, outermost first. */
  readonly loops: readonly number[];
  readonly name: string;
  readonly how: How;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly value?: number;
  readonly at?: readonly [offset: number, bytes: number];
  /** An earlier event of the same content. */
  readonly same?: number;
  /** An earlier event of the same object or memory. */
  readonly alias?: number;
  /** Events whose tensors were read. */
  readonly reads: readonly number[];
  /** Of a gradient: the event whose gradient it is. */
  readonly of?: number;
  readonly index?: readonly IndexPart[] | 'fancy';
  readonly requiresGrad?: boolean;
  readonly grad_fn?: string;
}

export interface Note {
  readonly kind: string;
  readonly file: number;
  readonly line: number;
  readonly message: string;
}

export interface Exit {
  readonly code: number;
  readonly exception?: {
    readonly type: string;
    readonly message: string;
    readonly file: string;
    /** In a notebook; the line counts within it. */
    readonly cell?: number;
    readonly line: number;
    readonly traceback: string;
  };
}

interface Header {
  readonly version: 1;
  readonly python: { readonly version: string; readonly executable: string };
  readonly main: string;
  readonly args: readonly string[];
  readonly files: readonly SourceFile[];
  readonly cells?: readonly Cell[];
  readonly functions: readonly FunctionPlace[];
  readonly statements: readonly Statement[];
  readonly events: readonly Event[];
  readonly exit: Exit;
  readonly leftOut: {
    readonly bytes: number;
    readonly events: number;
    readonly statement?: number;
  };
  readonly notes: readonly Note[];
}

export interface Recording extends Header {
  /**
   * The tensor of an event as float64, whatever its dtype; null where it was left out or its dtype is none of
   * formats/dtype's. Decoded when asked for and kept.
   */
  tensor(event: number): Tensor | null;
  /** Complex numbers as pairs of real ones: the last axis is twice as long. null for all other events. */
  pairs?(event: number): Tensor | null;
}

/** Lists of Python's own numbers. */
const ROWS: Readonly<Record<string, DType>> = { float: 'float64', int: 'float64' };

const COMPLEX: Readonly<Record<string, DType>> = { complex64: 'float32', complex128: 'float64' };

const asText = (bytes: Uint8Array): string => new TextDecoder('utf-8').decode(bytes);

function headerOf(name: string, bytes: Uint8Array): Header {
  const magic = asText(bytes.subarray(Math.max(0, bytes.length - MAGIC.length)));
  if (bytes.length < TAIL || magic !== MAGIC)
    throw new FormatError(name, '', `${bytes.length} bytes that end in "${magic}"`, `"${MAGIC}"`);
  const end = bytes.length - TAIL;
  const length = new DataView(bytes.buffer, bytes.byteOffset + end, 8).getBigUint64(0, true);
  if (length > BigInt(end))
    throw new FormatError(name, '', `a header of ${length} bytes`, `at most ${end}`);
  const text = asText(bytes.subarray(end - Number(length), end));
  let header: unknown;
  try {
    header = JSON.parse(text);
  } catch (error) {
    throw new FormatError(name, 'header', (error as Error).message, 'JSON');
  }
  return checked(name, header, end - Number(length));
}

const LISTS = ['files', 'functions', 'statements', 'events', 'notes', 'args'] as const;

/** The header with what later code relies on looked at: references that exist and tensors inside the bytes. */
function checked(name: string, header: unknown, room: number): Header {
  const fail = (entry: string, found: unknown, expected: string): never => {
    throw new FormatError(name, entry, JSON.stringify(found) ?? 'nothing', expected);
  };
  if (typeof header !== 'object' || header === null) return fail('header', header, 'an object');
  const found = header as Header;
  if (found.version !== 1) fail('version', found.version, '1');
  for (const list of LISTS) if (!Array.isArray(found[list])) fail(list, found[list], 'an array');
  const { statements, functions, files, events } = found;
  functions.forEach(({ file }, n) => {
    if (!files[file]) fail(`functions[${n}].file`, file, `one of ${files.length} files`);
  });
  statements.forEach((each, n) => {
    const place = `statements[${n}]`;
    if (!files[each.file]) fail(`${place}.file`, each.file, `one of ${files.length} files`);
    if (!functions[each.function])
      fail(`${place}.function`, each.function, `one of ${functions.length} functions`);
  });
  events.forEach((event, n) => {
    const place = `events[${n}]`;
    if (event.id !== n) fail(`${place}.id`, event.id, `${n}`);
    if (!statements[event.statement])
      fail(`${place}.statement`, event.statement, `one of ${statements.length} statements`);
    if (!Array.isArray(event.shape)) fail(`${place}.shape`, event.shape, 'axis lengths');
    for (const key of ['same', 'alias'] as const) {
      const other = event[key];
      if (other !== undefined && !(other >= 0 && other < n))
        fail(`${place}.${key}`, other, 'an earlier event');
    }
    for (const read of event.reads ?? [])
      if (!events[read]) fail(`${place}.reads`, read, 'an event');
    if (event.at && !(event.at[0] >= 0 && event.at[0] + event.at[1] <= room))
      fail(`${place}.at`, event.at, `bytes within ${room}`);
    if (event.at && isDType(event.dtype)) {
      const size = sizeOf(event.shape) * byteSize(event.dtype);
      if (event.at[1] < size) fail(`${place}.at`, event.at, `${size} bytes`);
    }
  });
  return found;
}

/** Reads a recording; `name` is what errors call it. Throws FormatError. */
export function parseRecording(bytes: Uint8Array, name = 'recording'): Recording {
  const header = headerOf(name, bytes);
  const decoded = new Map<number, Tensor | null>();
  const read = (event: Event): Tensor | null => {
    if (event.value !== undefined && event.shape.length === 0) return scalar(event.value);
    if (event.same !== undefined) return tensor(event.same);
    const dtype = event.shape.length > 0 ? (ROWS[event.dtype] ?? event.dtype) : event.dtype;
    if (!event.at || !isDType(dtype)) return null;
    const part = bytes.subarray(event.at[0], event.at[0] + event.at[1]);
    const data = decode(dtype, part, true, sizeOf(event.shape));
    return { shape: event.shape, data };
  };
  const tensor = (id: number): Tensor | null => {
    const known = decoded.get(id);
    if (known !== undefined) return known;
    const value = read(header.events[id]);
    decoded.set(id, value);
    return value;
  };
  const pairs = (id: number): Tensor | null => {
    let event = header.events[id];
    while (event.same !== undefined) event = header.events[event.same];
    const dtype = COMPLEX[event.dtype];
    if (!event.at || !dtype) return null;
    const length = event.shape.at(-1) ?? 1;
    const shape = [...event.shape.slice(0, -1), 2 * length];
    const part = bytes.subarray(event.at[0], event.at[0] + event.at[1]);
    return { shape, data: decode(dtype, part, true, sizeOf(shape)) };
  };
  const statements = header.statements.map((each) => ({ ...each, loads: each.loads.map(asNamed) }));
  return { ...header, statements, tensor, pairs };
}

/** A text that is read as events are named: keys in single quotes. */
const asNamed = (text: string): string => text.replaceAll('"', "'");

/** Whether an event is a whole number, or several. */
export const isInteger = ({ dtype }: Event): boolean => /^u?int\d*$/.test(dtype);

/** Whether an event's numbers were kept, and are zeros throughout. */
export function isZeroAt(recording: Recording, event: number): boolean {
  const tensor = recording.tensor(event);
  return tensor !== null && isZero(tensor);
}
