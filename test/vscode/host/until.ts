// Waiting in the extension host for what comes in its own time.

const PATIENCE = 120_000; // ms

/** What `get` gives as soon as it is as wanted; after two minutes, what it gives then. */
export async function until<T>(
  get: () => T | PromiseLike<T>,
  isWanted: (found: T) => boolean,
): Promise<T> {
  const end = Date.now() + PATIENCE;
  for (;;) {
    const found = await get();
    if (isWanted(found) || Date.now() > end) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
