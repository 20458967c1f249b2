// The text of a file that people write: UTF-8, and what Windows writes instead is named.

/** UTF-16 has a byte order mark, or every other byte of its ASCII is 0. Throws Error. */
export function decodeText(bytes: Uint8Array): string {
  const [first, second] = bytes;
  const isMarked = (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);
  if (isMarked || (bytes.length > 1 && (first === 0) !== (second === 0)))
    throw new Error('found text in UTF-16, expected UTF-8');
  return new TextDecoder().decode(bytes);
}
