// How messages go between "run mine" and its runner: a head of JSON and the numbers behind it, on a pipe of their own.

/** In bytes: names, shapes and words. */
const MOST_HEAD = 2 ** 26;
/** In bytes: those of nested.ts, and of inputs.ts, are fewer. */
const MOST_NUMBERS = 2 ** 28;
const START = 8;

/** What came is no message of the other side's. */
export class WireError extends Error {}

interface Numbers {
  readonly float64: readonly [begin: number, count: number];
}

/** As bytes, with every Float64Array of `message` behind the rest of it. */
export function encode(message: object): Uint8Array {
  const arrays: Float64Array[] = [];
  let count = 0;
  const head = new TextEncoder().encode(
    JSON.stringify(message, (_, value: unknown) => {
      if (!(value instanceof Float64Array)) return value;
      const place: Numbers = { float64: [count, value.length] };
      arrays.push(value);
      count += value.length;
      return place;
    }),
  );
  const bytes = new Uint8Array(START + head.length + 8 * count);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, head.length, true);
  view.setUint32(4, 8 * count, true);
  bytes.set(head, START);
  let at = START + head.length;
  for (const array of arrays) {
    bytes.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), at);
    at += array.byteLength;
  }
  return bytes;
}

/** Puts messages together from bytes as they arrive; what they say is not checked. */
export class Decoder {
  #chunks: Uint8Array[] = [];
  #length = 0;
  /** Bytes up to which nothing can be told. */
  #needed = START;

  /** The messages that are whole now, one by one: what comes before a broken one is given. Throws WireError. */
  *push(chunk: Uint8Array): Generator {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    while (this.#length >= this.#needed) {
      const bytes = this.#joined();
      const view = new DataView(bytes.buffer, bytes.byteOffset, START);
      const [head, numbers] = [view.getUint32(0, true), view.getUint32(4, true)];
      if (head > MOST_HEAD || numbers > MOST_NUMBERS || numbers % 8 !== 0)
        throw new WireError(`a message of ${head} and ${numbers} bytes`);
      const end = START + head + numbers;
      this.#needed = end;
      if (bytes.length < end) break;
      this.#chunks = [bytes.subarray(end)];
      this.#length -= end;
      this.#needed = START;
      const numbersAt = START + head;
      yield decode(
        bytes.subarray(START, numbersAt),
        Uint8Array.from(bytes.subarray(numbersAt, end)),
      );
    }
  }

  #joined(): Uint8Array {
    if (this.#chunks.length === 1) return this.#chunks[0];
    const bytes = new Uint8Array(this.#length);
    let at = 0;
    for (const chunk of this.#chunks) {
      bytes.set(chunk, at);
      at += chunk.length;
    }
    this.#chunks = [bytes];
    return bytes;
  }
}

/** `numbers` begins where its buffer does: Node's own bytes share theirs. */
function decode(head: Uint8Array, numbers: Uint8Array): unknown {
  const all = new Float64Array(numbers.buffer, 0, numbers.length / 8);
  try {
    return JSON.parse(new TextDecoder().decode(head), (_, value: unknown) => {
      if (typeof value !== 'object' || value === null || !('float64' in value)) return value;
      const [begin, count] = (value as Numbers).float64;
      return all.subarray(begin, begin + count);
    });
  } catch {
    throw new WireError(`a message of ${head.length} bytes that is not JSON`);
  }
}
