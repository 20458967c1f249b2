// Requests to the host carry an id; when their answer is on the screen, the time it took is measured.
import type { FromWebview } from '../src/protocol.ts';
import { post } from './vscode.ts';

/** A message that the host answers with a step. */
type Asking = Extract<FromWebview, { readonly id: number }>;
export type Request = Asking extends infer Each
  ? Each extends Asking
    ? Omit<Each, 'id'>
    : never
  : never;

let lastId = 0;

export const latestRequest = (): number => lastId;

export function request(message: Request): number {
  const id = ++lastId;
  performance.mark(`request ${id}`);
  post({ ...message, id });
  return id;
}

/** Calls back after the browser has painted what was rendered. */
function afterPaint(callback: () => void): void {
  requestAnimationFrame(() => requestAnimationFrame(callback));
}

/** The answer to a request was given to the page: measures until it is seen. */
export function answered(id: number): void {
  afterPaint(() => {
    const start = `request ${id}`;
    performance.mark('step painted');
    if (performance.getEntriesByName(start).length > 0)
      performance.measure('step', start, 'step painted');
    performance.clearMarks(start);
    document.body.dataset['paintedId'] = String(id);
  });
}
