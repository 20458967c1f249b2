// Serves one inspector page: answers its questions one after the other, the newest view first. Knows no vscode.
import { Answers, StaleError, type Versioned } from '../../inspect/answers.ts';
import type { FromInspector, Question, ToInspector } from '../../inspect/messages.ts';
import { breather, Cancelled } from './breathe.ts';

interface Waiting {
  readonly id: number;
  readonly question: Question;
  cancelled: boolean;
}

/** Progress is told that often, in ms. */
const PROGRESS_PAUSE = 100;

export interface DeskOptions {
  readonly find: (id: string) => Versioned | null;
  readonly nameOf: (id: string) => string;
  readonly post: (message: ToInspector) => void;
}

export class Desk {
  readonly #options: DeskOptions;
  readonly #answers: Answers;
  /** Tiles are quick and wait for no statistics. */
  readonly #lanes = { tile: new Lane(), other: new Lane() };
  #toldAt = 0;
  #toldProgress = false;

  constructor(options: DeskOptions) {
    this.#options = options;
    this.#answers = new Answers({
      find: options.find,
      progress: (tensor, done) => this.progress(tensor, done),
    });
  }

  /** True if the message was a question or took one back. */
  receive(message: FromInspector): boolean {
    if (message.type === 'ask') {
      const { id, question } = message;
      const lane = question.kind === 'tile' ? this.#lanes.tile : this.#lanes.other;
      lane.add({ id, question, cancelled: false }, (waiting) => this.#answer(waiting));
      return true;
    }
    if (message.type === 'forget') {
      Object.values(this.#lanes).forEach((lane) => lane.forget(message.id));
      return true;
    }
    return false;
  }

  progress(tensor: string, done: number | null): void {
    const now = performance.now();
    if (done === null ? !this.#toldProgress : now - this.#toldAt < PROGRESS_PAUSE) return;
    this.#toldAt = now;
    this.#toldProgress = done !== null;
    this.#options.post({ type: 'progress', what: `Reading ${this.#options.nameOf(tensor)}`, done });
  }

  async #answer(waiting: Waiting): Promise<void> {
    const { id, question } = waiting;
    try {
      const answer = await this.#answers.answer(
        question,
        breather(() => waiting.cancelled),
      );
      if (!waiting.cancelled) this.#options.post({ type: 'answer', id, answer });
    } catch (error) {
      const isMeant = error instanceof StaleError || error instanceof Cancelled;
      this.#options.post({ type: 'refused', id, message: isMeant ? '' : (error as Error).message });
      this.progress(question.tensor, null);
    }
  }
}

/** Questions one after the other, with a turn for everybody else in between. */
class Lane {
  readonly #waiting: Waiting[] = [];
  #current: Waiting | null = null;

  add(waiting: Waiting, answer: (waiting: Waiting) => Promise<void>): void {
    this.#waiting.push(waiting);
    if (!this.#current) void this.#run(answer);
  }

  forget(id: number): void {
    const at = this.#waiting.findIndex((each) => each.id === id);
    if (at >= 0) this.#waiting.splice(at, 1);
    else if (this.#current?.id === id) this.#current.cancelled = true;
  }

  async #run(answer: (waiting: Waiting) => Promise<void>): Promise<void> {
    const breathe = breather(() => false);
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
      this.#current = next;
      await answer(next);
      await breathe();
    }
    this.#current = null;
  }
}
