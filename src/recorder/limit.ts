// How long a program may run: then it is asked to end, so that what was recorded is written, and then ended.

/** For writing what was recorded, in milliseconds. */
const MOST_WRITING = 3000;

export class Limit {
  isOver = false;
  #timer: NodeJS.Timeout | undefined;

  /** Without a number of milliseconds there is no limit. */
  constructor(milliseconds: number | undefined, end: (how: 'soon' | 'now') => void) {
    if (milliseconds === undefined) return;
    this.#timer = setTimeout(() => {
      this.isOver = true;
      end('soon');
      this.#timer = setTimeout(() => end('now'), MOST_WRITING);
    }, milliseconds);
  }

  clear(): void {
    clearTimeout(this.#timer);
  }
}
