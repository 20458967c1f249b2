// What both pages' entries do alike: report what fails to the host, and hear it.

/** Chromium reports a resize that takes two frames as an error; it is none. */
const HARMLESS = /^ResizeObserver loop/;

function messageOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** Of one text, in characters: a name or a message that is longer is nobody's to read. */
const LONGEST = 1000;

/** Cuts the texts of a message where they are. Numbers, of which there may be many, are not looked at. */
function cutTexts(holder: object): void {
  for (const [key, value] of Object.entries(holder) as [string, unknown][]) {
    if (typeof value === 'string' && value.length > LONGEST)
      (holder as Record<string, unknown>)[key] = `${value.slice(0, LONGEST)}…`;
    else if (typeof value === 'object' && value !== null && !ArrayBuffer.isView(value)) {
      if (!Array.isArray(value) || typeof value[0] !== 'number') cutTexts(value);
    }
  }
}

export function listen(
  fail: (message: string) => void,
  /** Takes messages of the host's, whose types are the page's own. */
  receive: (message: never) => void,
): void {
  window.addEventListener('error', ({ error, message }) => {
    if (!HARMLESS.test(message)) fail(error ? messageOf(error) : message);
  });
  window.addEventListener('unhandledrejection', ({ reason }) => fail(messageOf(reason)));
  // Only VS Code posts into a webview; what it posts for itself is no message of ours.
  window.addEventListener('message', ({ data }: MessageEvent<unknown>) => {
    if (typeof data !== 'object' || data === null || !('type' in data)) return;
    cutTexts(data);
    receive(data as never);
  });
}
