// The steps one move away, sent before they are asked for: a key press then waits for no answer. Knows no vscode.
import { bytesOfRun } from '../engine/cost.ts';
import type { FromWebview, ToWebview } from '../protocol.ts';
import type { Move } from '../stepper/cursor.ts';
import type { Session } from '../stepper/session.ts';

type MoveMessage = Extract<FromWebview, { readonly type: 'move' }>;

/** The moves that people repeat. */
const MOVES: readonly Move[] = ['over', 'back', 'into', 'out'];

/** Above it the pictures cost more to send than the wait is worth. */
const MOST = 2 ** 20; // bytes of the run

export class LookAhead {
  #serial = 0;
  #heard = 0;
  #sending: ReturnType<typeof setTimeout> | undefined;

  /** What was sent is no longer what a move leads to. */
  forget(): void {
    this.#serial++;
    clearTimeout(this.#sending);
  }

  /** Sends what lies ahead once what is being answered is out. */
  after(session: Session, send: (message: ToWebview) => void): void {
    this.forget();
    if (bytesOfRun(session.run.graph) > MOST) return;
    this.#sending = setTimeout(() => {
      const steps = Object.fromEntries(MOVES.map((move) => [move, session.viewAfter(move)]));
      send({ type: 'ahead', ahead: { serial: this.#serial, heard: this.#heard, steps } });
    }, 0);
  }

  /**
   * Takes note of what the page asks: true where it is a move whose step the page shows already, and nothing has
   * changed since.
   */
  hears(message: FromWebview): message is MoveMessage {
    // A page that is loaded anew counts from the beginning; what is asked in its name has no number.
    if (message.type === 'ready') this.#heard = 0;
    if ('id' in message && message.id > 0) this.#heard = message.id;
    return message.type === 'move' && message.shown === this.#serial;
  }
}

/** Makes a move whose step the page shows already: there is nothing to send but that it is so. */
export function agreed(session: Session, { move, id }: MoveMessage): ToWebview {
  session.move(move);
  return { type: 'agreed', id };
}
