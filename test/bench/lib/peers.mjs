// Programs that are measured side by side: each a process of its own that answers one run at a time.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** One answer takes no longer; what does not answer is ended. */
const LONGEST = 300_000; // ms

/** One program at one size, from its start to its end. */
export class Peer {
  #lines;
  #process;
  #errors = '';
  version = '';
  /** @type {number[]} */
  times = [];
  megabytes = NaN;

  /** @param {string} command @param {string[]} args @param {NodeJS.ProcessEnv} [env] */
  constructor(command, args, env = {}) {
    this.#process = spawn(command, args, { env: { ...process.env, ...env } });
    this.#process.stderr.on('data', (text) => (this.#errors += text));
    this.#process.on('error', (error) => (this.#errors += error.message));
    // It may have ended before it is asked.
    this.#process.stdin.on('error', () => {});
    this.#lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
  }

  async #next() {
    const late = setTimeout(() => this.stop(), LONGEST);
    try {
      for (;;) {
        const { value, done } = await this.#lines.next();
        if (done) throw new Error(this.#errors.trim().split('\n').at(-1) || 'it ended');
        if (value.startsWith('{')) return JSON.parse(value);
      }
    } finally {
      clearTimeout(late);
    }
  }

  async ready() {
    ({ version: this.version } = await this.#next());
  }

  /** @param {boolean} counts false for a warm-up */
  async run(counts) {
    this.#process.stdin.write('run\n');
    const answer = await this.#next();
    if (counts) this.times.push(answer.ms);
    return answer;
  }

  async end() {
    this.#process.stdin.end('\n');
    ({ megabytes: this.megabytes } = await this.#next());
  }

  stop() {
    this.#process.kill('SIGKILL');
  }
}
