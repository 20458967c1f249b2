// What both pages' entries do alike: report what fails to the host, and hear it.

/** Chromium reports a resize that takes two frames as an error; it is none. */
const HARMLESS = /^ResizeObserver loop/;

function messageOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** Of one text, in characters: a name or a message that is longer is nobody's to read. */
const LONGEST = 1000;

/** Cuts the texts of a message where they are. Numbers, of which there may be many, are not looked at. */
function cutTexts(holder: Record<string, unknown>): void {
  for (const [key, value] of Object.entries(holder)) {
    if (typeof value === 'string' && value.length > LONGEST)
      holder[key] = `${value.slice(0, LONGEST)}…`;
    else if (typeof value === 'object' && value !== null && !ArrayBuffer.isView(value)) {
      if (!Array.isArray(value) || typeof value[0] !== 'number')
        cutTexts(value as Record<string, unknown>);
    }
  }
}

export function listen<Message extends { readonly type: string }>(
  fail: (message: string) => void,
  receive: (message: Message) => void,
): void {
  window.addEventListener('error', ({ error, message }) => {
    if (!HARMLESS.test(message)) fail(error ? messageOf(error) : message);
  });
  window.addEventListener('unhandledrejection', ({ reason }) => fail(messageOf(reason)));
  // Only VS Code posts into a webview; what it posts for itself is no message of ours.
  window.addEventListener('message', ({ data }: MessageEvent<unknown>) => {
    if (typeof data !== 'object' || data === null || !('type' in data)) return;
    cutTexts(data as Record<string, unknown>);
    receive(data as Message);
  });
}
