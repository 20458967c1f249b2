// How much is tried: all of it as a layer of its own (`npm test -- --only hostile`), a smoke of it in the ordinary run.
const isFull = process.env.ATTENTION_HOSTILE === 'full';

export const amount = (full: number, smoke: number): number => (isFull ? full : smoke);

/** Says what was tried and what came of it. */
export function tell(what: string, counts: Readonly<Record<string, number>>): void {
  const words = Object.entries(counts).map(([name, count]) => `${count} ${name}`);
  console.log(`hostile: ${what}: ${words.join(', ')}`);
}

export class Counts {
  readonly all: Record<string, number> = {};

  add(name: string, count = 1): void {
    this.all[name] = (this.all[name] ?? 0) + count;
  }
}
