// What one repair shares between its runs, Python and what numbers were found to be, leaves nothing of one edit for the next.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { buildGraph } from '../../../src/engine/heads/build.ts';
import { infer } from '../../../src/lines/infer/infer.ts';
import { type Judged, judge, judging } from '../../../src/lines/judge.ts';
import { parseRecording, type Recording } from '../../../src/lines/recorded/recording.ts';
import { record, recorderIn } from '../../../src/recorder/record.ts';
import { openBench } from '../../../src/recorder/repairBench.ts';

const recorder = recorderIn(process.cwd());
const python = process.env.ATTENTION_PYTHON ?? '/usr/bin/python3';
const hasNumpy = spawnSync(python, ['-c', 'import numpy']).status === 0;
if (!hasNumpy) console.warn(`${python} has no NumPy: no runs share anything`);
const folder = mkdtempSync(join(tmpdir(), 'shared-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Changes a package, the generator of random numbers, a module of its own and a file, all of which it reads again. */
const PROGRAM = `import os
import numpy as np
import helper
count = len(open('count.txt').read()) if os.path.exists('count.txt') else 0
drawn = np.random.normal(size=4)
a = np.exp(np.arange(3.0)) + helper.table['by'] + count
b = a * 2
`;
const LEAVING = PROGRAM.replace(
  'b = a * 2',
  `np.exp = np.log1p
np.random.seed(1)
helper.table['by'] = 7
open('count.txt', 'w').write('x')
b = a * 3`,
);

const numbersOf = (recording: Recording | null): number[][] =>
  recording!.events
    .filter(({ name }) => name === 'a' || name === 'b')
    .map(({ id }) => [...recording!.tensor(id)!.data]);

test.skipIf(!hasNumpy)(
  'an edited run leaves nothing behind in the Python of the next',
  async () => {
    const file = join(folder, 'leaves.py');
    writeFileSync(join(folder, 'helper.py'), "table = {'by': 1}\n");
    writeFileSync(file, PROGRAM);
    const bench = await openBench({ python, recorder, file, args: [], cwd: folder, timeout: 30 });
    try {
      const before = numbersOf(await bench.record({}));
      expect(before.length).toBe(2);
      const left = numbersOf(await bench.record({ 'leaves.py': LEAVING }));
      expect(left).not.toEqual(before);
      expect(numbersOf(await bench.record({}))).toEqual(before);
      expect(readdirSync(folder)).not.toContain('count.txt');
    } finally {
      await bench.close();
    }
  },
);

test.skipIf(!hasNumpy)('to look at a statement writes no file of the person', async () => {
  const file = join(folder, 'logs.py');
  writeFileSync(file, "import numpy as np\nopen('log.txt', 'a').write('x')\na = np.ones(3)\n");
  const bench = await openBench({ python, recorder, file, args: [], cwd: folder, timeout: 30 });
  try {
    const place = { file: 'logs.py', line: 3, occurrences: [0] };
    const reply = await bench.frame({ sources: {}, ...place, pairs: false, seconds: 3 });
    expect(reply?.executions).toBe(1);
    expect(readdirSync(folder)).not.toContain('log.txt');
  } finally {
    await bench.close();
  }
});

/** What its function keeps grows with every call of it: a candidate is a call. */
const GROWING = `import numpy as np
kept = []
total = np.zeros(3)
def keep(a):
    kept.append(a)
    total[:] += a
    return total * len(kept)
for n in range(3):
    r = keep(np.arange(3.0)) + n
`;

test.skipIf(!hasNumpy)(
  'candidates that were evaluated leave the frame to the next one and to the program as it was',
  async () => {
    const file = join(folder, 'grows.py');
    writeFileSync(file, GROWING);
    const bench = await openBench({ python, recorder, file, args: [], cwd: folder, timeout: 30 });
    try {
      const at = (occurrences: number[]) =>
        bench.frame({
          ...{ sources: {}, file: 'grows.py', line: 9, occurrences, pairs: false, seconds: 3 },
        });
      const [alone, both] = [await at([2]), await at([0, 2])];
      // The third execution is what it is where candidates were evaluated at the first one, too.
      expect(both!.now[1].data).toEqual(alone!.now[0].data);
    } finally {
      await bench.close();
    }
  },
);

const HEAD = `import numpy as np
rng = np.random.default_rng(4)
T, D = 6, 3
Q, K = rng.normal(size=(T, D)), rng.normal(size=(T, D))
V = rng.normal(size=(T, 4))
S = Q @ K.T / np.sqrt(D)
`;
const TILED = `${HEAD}m, l, o = np.full(T, -np.inf), np.zeros(T), np.zeros((T, 4))
for i in range(0, T, 2):
    s = S[:, i:i + 2]
    new = np.maximum(m, s.max(1))
    p = np.exp(s - new[:, None])
    l = l * np.exp(m - new) + p.sum(1)
    o = o * np.exp(m - new)[:, None] + p @ V[i:i + 2]
    m = new
y = o / l[:, None]
`;
/** Its maxima are those of the first tile of the other, in which they are right. */
const WHOLE = `${HEAD}m = S[:, :2].max(1)
e = np.exp(S - m[:, None])
y = e / e.sum(1, keepdims=True) @ V
`;

/** All that is told of a run. */
const told = ({ localised: { verdict, observed, wrong, covered } }: Judged): unknown => [
  verdict,
  [...covered].sort(),
  wrong.map(({ event, node, kind }) => [event, node, kind]),
  observed.map(({ standing, found }) => [
    standing,
    found.map(({ entry: { title, key } }) => [title, key]),
  ]),
];

test.skipIf(!hasNumpy)(
  'what was judged before changes nothing of what is judged next',
  async () => {
    const file = join(folder, 'tiles.py');
    const run = async (text: string): Promise<Recording> => {
      writeFileSync(file, text);
      const { bytes } = await record({ recorder, python, file, args: [], cwd: folder });
      return parseRecording(bytes);
    };
    const [right, other] = [await run(TILED), await run(WHOLE)];
    const { config } = infer(other)!;
    const graph = buildGraph(config);
    const shared = judging(config, graph);
    for (const each of [right, other, right])
      expect(told(shared(each))).toEqual(told(judge(each, { ...config }, buildGraph(config))));
  },
);
