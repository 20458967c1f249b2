// The frozen answers of the scoreboard: none of them may get worse.
// golden.txt holds a line per answer, "first node  causes", and under it the cases that get it.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const FILE = fileURLToPath(new URL('golden.txt', import.meta.url));

const answerOf = ({ found, ids, node, named }) =>
  `${node && named ? '' : 'wrong '}${found}  ${ids.join(', ') || 'unknown'}`;

/** The frozen answer of each case, by its stem. */
function readGolden() {
  const known = new Map();
  if (!existsSync(FILE)) return known;
  let answer = '';
  for (const line of readFileSync(FILE, 'utf8').split('\n')) {
    if (line.startsWith('  ')) {
      for (const stem of line.trim().split(' ')) known.set(stem, answer);
    } else answer = line;
  }
  return known;
}

/** Collects the answers of a run. */
export class Golden {
  /** @type {Map<string, string>} */
  #answers = new Map();
  #known = readGolden();

  add(stem, result) {
    this.#answers.set(stem, answerOf(result));
  }

  write() {
    const byAnswer = new Map();
    for (const [stem, answer] of [...this.#answers].sort(([a], [b]) => (a < b ? -1 : 1)))
      byAnswer.set(answer, [...(byAnswer.get(answer) ?? []), stem]);
    const blocks = [...byAnswer]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([answer, stems]) => `${answer}\n  ${stems.join(' ')}\n`);
    writeFileSync(FILE, blocks.join(''));
  }

  /** What was right and is no longer, and what is answered in another way and as well. */
  compare() {
    /** @type {string[][]} */
    const [worse, other] = [[], []];
    for (const [stem, answer] of this.#answers) {
      const before = this.#known.get(stem);
      if (before === undefined || before === answer) continue;
      const isWorse = answer.startsWith('wrong') && !before.startsWith('wrong');
      (isWorse ? worse : other).push(`${stem}: ${answer} (before: ${before})`);
    }
    return { worse, other };
  }
}
