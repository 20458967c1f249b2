// Requests to the host carry an id; when their answer is on the screen, the time it took is measured.
import type { Ahead, FromWebview } from '../src/protocol.ts';
import type { Move } from '../src/stepper/cursor.ts';
import type { StepView } from '../src/stepper/stepView.ts';
import { post } from './vscode.ts';

/** A message that the host answers with a step. */
type Asking = Extract<FromWebview, { readonly id: number }>;
export type Request = Asking extends infer Each
  ? Each extends Asking
    ? Omit<Each, 'id'>
    : never
  : never;

let lastId = 0;
/** What the next moves lead to; null while something is being asked, which changes it. */
let ahead: Ahead | null = null;

/** Takes what the host says lies ahead, unless it was said before the host had heard the latest request. */
export function know(told: Ahead | null): void {
  ahead = told?.heard === lastId ? told : null;
}

export const lookAhead = (move: Move): { readonly serial?: number; readonly step?: StepView } => ({
  serial: ahead?.serial,
  step: ahead?.steps[move],
});

export const latestRequest = (): number => lastId;

export function request(message: Request): number {
  const id = ++lastId;
  ahead = null;
  performance.mark(`request ${id}`);
  post({ ...message, id });
  return id;
}

/** Calls back after the browser has painted what was rendered: a message posted in a frame is heard after it. */
function afterPaint(callback: () => void): void {
  requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel();
    port1.addEventListener('message', callback, { once: true });
    port1.start();
    port2.postMessage(null);
  });
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
