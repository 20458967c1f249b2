// What a command that takes long is doing, in one line of a terminal that is taken away at its end.

/** What is over by then says nothing. */
const SILENT_MS = 2000;
const CLEAR = '\r\u001B[K';

interface Terminal {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

export class Progress {
  readonly #terminal: Terminal;
  readonly #began = Date.now();
  #timer: NodeJS.Timeout | undefined;
  #shown = false;

  constructor(terminal: Terminal = process.stderr) {
    this.#terminal = terminal;
  }

  /** `isBlocking`: no timer runs until it is over, so that it is said at once. */
  stage(text: string, isBlocking = false): void {
    if (!this.#terminal.isTTY) return;
    clearTimeout(this.#timer);
    const left = SILENT_MS - (Date.now() - this.#began);
    const draw = (): void => {
      this.#shown = true;
      this.#terminal.write(`${CLEAR}${text} ...`);
    };
    if (isBlocking || left <= 0) draw();
    else this.#timer = setTimeout(draw, left);
  }

  /** Before anything else is printed. */
  clear(): void {
    clearTimeout(this.#timer);
    if (this.#shown) this.#terminal.write(CLEAR);
    this.#shown = false;
  }
}
