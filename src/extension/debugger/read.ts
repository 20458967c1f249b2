// Reads the tensors of a paused program: first their shapes, then, when asked, the entries of one, block by block.
import { formatShape, sizeOf, type Tensor } from '../../engine/tensor.ts';
import { byteSize, decode } from '../../formats/dtype.ts';
import { MAX_AXES } from '../../formats/limits.ts';
import { blocksOf } from './blocks.ts';
import { readReply, readTensors, type Reply } from './replies.ts';
import { bytesOf, type Language, type PausedFrame, type ProgramTensor } from './tensor.ts';

/** Most bytes of a tensor in the program, and of its float64 entries here. */
const MAX_BYTES = 2 ** 30;
const MAX_BYTES_HERE = 2 ** 32;
/** As base64 4 MiB; debugpy ends at answers of 16 MiB. */
const BLOCK_BYTES = 3 * 2 ** 20;
/** A debugger without the clipboard's context cuts answers at 65,540 characters, debugpy for one. */
const SHORT_TEXT = 60_000;
const SHORT_BYTES = 44_000;
const CUT = 'the debugger cuts its answers short';

export class ProgramReader {
  readonly #frame: PausedFrame;
  readonly #language: Language;
  /** Found out at the first answer that is cut. */
  #isShort = false;

  constructor(frame: PausedFrame, language: Language) {
    this.#frame = frame;
    this.#language = language;
  }

  /** The tensors among the frame's variables and in them. Reads no entries. */
  async list(): Promise<ProgramTensor[]> {
    const names = await this.#frame.variables();
    return readTensors(await this.#json(this.#language.list(names)));
  }

  /** The tensor that an expression gives and, where it has one, its gradient. Reads no entries. */
  async describe(expression: string): Promise<ProgramTensor[]> {
    return readTensors(await this.#json(this.#language.describe(expression)));
  }

  /** The entries as float64. `progress` is told the bytes that came with each block. */
  async read(tensor: ProgramTensor, progress: (bytes: number) => void): Promise<Tensor> {
    const { expression, shape, sentAs } = tensor;
    checkSize(tensor);
    const data = new Float64Array(sizeOf(shape));
    const width = byteSize(sentAs);
    for (const bytes of this.#isShort ? [SHORT_BYTES] : [BLOCK_BYTES, SHORT_BYTES]) {
      let read = 0;
      for (const block of blocksOf(shape, bytes / width)) {
        const { offset, count } = block;
        const reply = readReply(await this.#frame.evaluate(this.#language.read(tensor, block)));
        if (reply === null) break;
        if (reply.kind !== 'data' || reply.bytes.length !== count * width)
          throw new Error(`${expression} has changed while it was read`);
        data.set(decode(sentAs, reply.bytes, true, count), offset);
        read += count;
        progress(reply.bytes.length);
      }
      if (read === data.length) return { shape, data };
      this.#isShort = true;
    }
    throw new Error(CUT);
  }

  async #json(expression: string): Promise<Reply & { kind: 'json' }> {
    const whole = this.#isShort ? null : readReply(await this.#frame.evaluate(expression));
    const reply = whole ?? readReply(await this.#inParts(expression));
    if (reply?.kind !== 'json') throw new Error(CUT);
    return reply;
  }

  async #inParts(expression: string): Promise<string> {
    this.#isShort = true;
    let text = '';
    for (;;) {
      const to = text.length + SHORT_TEXT;
      const part = await this.#frame.evaluate(this.#language.slice(expression, text.length, to));
      const plain = part.replace(/^(['"])(.*)\1$/, '$2');
      text += plain;
      if (plain.length < SHORT_TEXT) return text;
    }
  }
}

function checkSize(tensor: ProgramTensor): void {
  const { expression, shape } = tensor;
  const bytes = bytesOf(tensor);
  if (shape.length > MAX_AXES) throw new Error(`${expression} has more than ${MAX_AXES} axes`);
  if (bytes <= MAX_BYTES && sizeOf(shape) * 8 <= MAX_BYTES_HERE) return;
  const size = `${formatShape(shape)} ${tensor.dtype}, ${(bytes / 2 ** 30).toFixed(1)} GiB`;
  throw new Error(
    `${expression} is ${size}; up to 1 GiB is read from a paused program. ` +
      `Compare a part of it, such as ${expression}[0].`,
  );
}
