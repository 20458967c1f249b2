// How much is looked through while a setup is inferred: counted, not timed, so that it is the same on every machine.

/** Numbers that are multiplied or compared, about: some seconds' worth. */
const MOST = 2e8;

export class Work {
  #left: number;

  constructor(most = MOST) {
    this.#left = most;
  }

  spend(numbers: number): void {
    this.#left -= numbers;
  }

  /** Whether no more is to be looked through. */
  get isDone(): boolean {
    return this.#left <= 0;
  }
}
