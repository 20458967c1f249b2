// What tensors were found to be, by their numbers: kept from one run of a program to the next, which has most of them again.
import type { Tensor } from '../../engine/tensor.ts';
import type { Entry } from './catalogue.ts';

/** More are not kept. */
const MOST = 200_000;

/** Of one catalogue; what is added to it, such as the forms of tiles, is the same objects whenever it is the same. */
export class Contents<Content> {
  readonly #added = new Map<string, readonly Entry[]>();
  readonly #known = new Map<string, Content>();

  /** `entries` as they were added in an earlier run, where the numbers are the same, and else as they are; with a name for all of them. */
  added(entries: readonly Entry[]): { readonly name: string; readonly same: readonly Entry[] } {
    const marks = entries.map((each) => `${each.title} ${each.letters.join('')} ${markOf(each)}`);
    const name = marks.join('\n');
    const same = this.#added.get(name) ?? entries;
    this.#added.set(name, same);
    return { name, same };
  }

  /** What `look` gives of a tensor of that type, with that much in the catalogue. */
  of(name: string, dtype: string, tensor: Tensor, look: () => Content): Content {
    const key = `${dtype} ${tensor.shape.join()} ${markOf(tensor)} ${name}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const content = look();
    if (this.#known.size < MOST) this.#known.set(key, content);
    return content;
  }
}

/** Two hashes of 32 bits of all numbers. */
function markOf({ data }: { readonly data: Float64Array }): string {
  const words = new Int32Array(data.buffer, data.byteOffset, 2 * data.length);
  let [one, other] = [0x811c9dc5, words.length];
  for (const word of words) {
    one = Math.imul(one ^ word, 0x01000193);
    other = Math.imul(other + word, 0x9e3779b1) ^ (other >>> 15);
  }
  return `${(one >>> 0).toString(36)}${(other >>> 0).toString(36)}`;
}
