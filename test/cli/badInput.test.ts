// Bad input: exit code 2, nothing printed, one line on standard error that says where, what, and what was expected.
import { mkdirSync, readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { exampleText } from '../support/setups.ts';
import { onlyLine, useCli } from './cli.ts';

vi.setConfig({ testTimeout: 120_000 });
const cli = useCli();

const good = exampleText('exercise');
const weights = '"weights": {"W_K": [[1], [2]], "W_Q": [[1], [2]]}';
/** The broken entry stands in line 3. */
const setup = (entry: string): string => `{\n  "head": "kq",\n  ${entry}\n}\n`;

describe('a setup', () => {
  test.concurrent.each([
    ['that is not JSON', '{"head": "kq"\n"x": [[1]]}', /^s\d+\.attention\.json:2: .*expected/],
    [
      'with NaN in place of a number',
      setup(`"x": [[NaN, 1]], ${weights}`),
      /^s\d+\.attention\.json:3: .*NaN.*expected.*"nan"/,
    ],
    [
      'with a misspelt key',
      setup(`"scal": 2, "x": [[1, 2]], ${weights}`),
      /^s\d+\.attention\.json:3: scal: found an unknown key, did you mean "scale"\?$/,
    ],
    [
      'with a misspelt name of a mask',
      setup(`"x": [[1, 2]], ${weights}, "mask": "casual"`),
      /^s\d+\.attention\.json:3: mask: found the string "casual", did you mean "causal"\?$/,
    ],
    [
      'with a misspelt key, whose right one is missed',
      setup(`"x": [[1, 2]], ${weights}, "loss": {"expresion": "sum(y)"}`),
      /^s\d+\.attention\.json:3: loss\.expresion: .* did you mean "expression"\? \(and 1 more\)$/,
    ],
    [
      'with several mistakes: the first, and how many more',
      setup(`"scal": 2, "x": [[1, 2]], ${weights}, "softcap": -1, "window": 0`),
      /^s\d+\.attention\.json:3: scal: found an unknown key, .* \(and 2 more\)$/,
    ],
    [
      'without what the head needs',
      setup('"x": [[1, 2]]'),
      /^s\d+\.attention\.json:1: weights: found no W_K, expected it/,
    ],
    [
      'whose shapes do not fit',
      setup(`"x": [[1, 2, 3]], ${weights}`),
      /^s\d+\.attention\.json:3: weights\.W_K: found shape \(2, 1\), expected \(c = 3, a\): 3 comes from x shape \(1, 3\)$/,
    ],
    [
      'with warnings before its mistake',
      setup(`"maskMeaning": "add", "x": [[1, 2, 3]], ${weights}`),
      /^s\d+\.attention\.json:3: weights\.W_K: found shape/,
    ],
    [
      'that names a file which is not there',
      setup(`"x": {"file": "nowhere.npy"}, ${weights}`),
      /^s\d+\.attention\.json:3: x: cannot read nowhere\.npy: ENOENT/,
    ],
    [
      'that names a file which holds no tensor',
      setup(`"x": {"file": "broken.npy"}, ${weights}`),
      /^s\d+\.attention\.json:3: x: broken\.npy: .*found .*, expected/,
    ],
    [
      'whose f is not one number',
      setup(`"x": [[1, 2]], ${weights}, "loss": {"expression": "y .* sum(y)"}`),
      /^s\d+\.attention\.json:3: loss\.expression: .*y stands outside of sum/,
    ],
    [
      'whose f calls a function wrongly',
      setup(`"x": [[1, 2]], ${weights}, "loss": {"expression": "sum(exp(y, y))"}`),
      /^s\d+\.attention\.json:3: loss\.expression: found 2 arguments in exp\(y, y\), expected 1$/,
    ],
    [
      'whose f is several statements',
      setup(`"x": [[1, 2]], ${weights}, "loss": {"expression": "sum(y)\\nsum(y)"}`),
      /^s\d+\.attention\.json:3: loss\.expression: found "sum\(y\) ?;? ?sum\(y\)"/,
    ],
    [
      'that would not fit into memory',
      setup(
        '"x": {"random": "normal", "shape": [100000, 1]}, "xPrime": [[1]],' +
          '"weights": {"W_K": {"random": "normal", "shape": [1, 100000]}, "W_Q": {"random": "normal", "shape": [1, 100000]}}',
      ),
      /^s\d+\.attention\.json:3: x: found K of shape \(100000, 100000\), 10000000000 entries, expected at most 67108864$/,
    ],
  ])('%s', async (name, text, line) => {
    const file = cli.write(`s${name.length}${text.length}.attention.json`, text);
    cli.write('broken.npy', 'hello');
    const outcome = await cli.run('run', file);
    expect([outcome.code, outcome.stdout]).toEqual([2, '']);
    expect(onlyLine(outcome)).toMatch(line);
  });

  test.concurrent.each(['run', 'gradcheck'])('that is not there: %s', async (command) => {
    const outcome = await cli.run(command, 'nowhere.attention.json');
    expect([outcome.code, outcome.stdout]).toEqual([2, '']);
    expect(onlyLine(outcome)).toBe('nowhere.attention.json: no such file, expected a setup');
  });

  test('that is a folder', async () => {
    mkdirSync(cli.path('folder.attention.json'));
    const outcome = await cli.run('run', 'folder.attention.json');
    expect([outcome.code, outcome.stdout]).toEqual([2, '']);
    expect(onlyLine(outcome)).toMatch(/^folder\.attention\.json: .*, expected a setup$/);
  });
});

describe.runIf(process.platform === 'linux')('what is no regular file', () => {
  const kinds: [string, RegExp][] = [
    ['/dev/zero', /found a device, expected/],
    ['to-zero', /found a device, expected/],
    ['fifo', /found a FIFO, expected/],
    ['folder', /found a folder, expected/],
    ['socket', /found a socket, expected/],
    // Regular by its mode, without a size, and reading it waits for the kernel to say something.
    ['/proc/kmsg', /found an empty|found no directory|found|EACCES|EPERM/],
  ];
  beforeAll(async () => {
    cli.write('one.attention.json', good);
    const bind =
      'require("net").createServer().listen("socket", () => process.kill(process.pid, "SIGKILL"))';
    await cli.shell(
      `mkfifo fifo; mkdir -p folder; ln -sf /dev/zero to-zero; ${process.execPath} -e '${bind}'; true`,
    );
  });

  test.concurrent.each(kinds)('%s as an input, a trace, a setup', async (path, message) => {
    const name = `in${path.replaceAll('/', '-')}.attention.json`;
    cli.write(name, setup(`"x": {"file": "${path}"}, ${weights}`));
    const outcomes = await Promise.all([
      cli.run('run', name),
      cli.run('run', path),
      cli.run('check', path, '--mine'),
      // A folder may be a trace.
      cli.run('check', 'one.attention.json', '--against', path),
    ]);
    for (const outcome of outcomes) {
      expect([outcome.code, outcome.stdout]).toEqual([2, '']);
      const line = onlyLine(outcome);
      if (outcome !== outcomes[3] || path !== 'folder') expect(line).toMatch(message);
    }
  });

  test('as a trace in a folder, as a part, as an implementation', async () => {
    await cli.shell('mkdir t; mkfifo t/P.npy; ln -s /dev/zero z.rank0.npz; ln -s /dev/zero m.mjs');
    cli.write(
      'm.attention.json',
      JSON.stringify({ ...(JSON.parse(good) as object), implementation: './m.mjs' }),
    );
    for (const [words, message] of [
      [['one.attention.json', '--against', 't'], /found a FIFO/],
      [['one.attention.json', '--against', 'z.rank0.npz'], /found a device/],
      [['m.attention.json', '--mine'], /m\.mjs: no such file/],
    ] as const) {
      const outcome = await cli.run('check', ...words);
      expect(outcome.code).toBe(2);
      expect(onlyLine(outcome)).toMatch(message);
    }
  });
});

test.each([
  ['UTF-16, which Windows PowerShell writes', '\uFEFF'],
  ['UTF-16 without a mark', ''],
])('a setup in %s is named as such', async (_, mark) => {
  const bytes = Buffer.from(mark + good, 'utf16le');
  for (const [name, text] of Object.entries({ little: bytes, big: Buffer.from(bytes).swap16() })) {
    const outcome = await cli.run('run', cli.write(`${name}${mark.length}.attention.json`, text));
    expect(outcome.code).toBe(2);
    expect(onlyLine(outcome)).toMatch(/: found text in UTF-16, expected .*$/);
  }
});

describe('words', () => {
  test.concurrent.each([
    [[], 'expected one command and one setup file; node dist/cli.js --help says more'],
    [['run'], 'expected one command and one setup file; node dist/cli.js --help says more'],
    [
      ['run', 'a', 'b'],
      'expected one command and one setup file; node dist/cli.js --help says more',
    ],
    [['train', 'a'], 'found the command train, expected run, check, gradcheck, lines or mcp'],
    [['gradcheck', 'a', '--out', 'b'], '--out goes with run, found gradcheck'],
    [['run', 'a', '--quick'], "Unknown option '--quick'"],
    [['run', 'a', '--out'], "Option '--out <value>' argument missing"],
  ])('%j', async (words, message) => {
    const outcome = await cli.run(...words);
    expect([outcome.code, outcome.stdout]).toEqual([2, '']);
    expect(onlyLine(outcome)).toContain(message);
  });
});

describe('--out', () => {
  test('into a folder that is not there leaves nothing behind', async () => {
    const file = cli.write('good.attention.json', good);
    const before = cli.names();
    const outcome = await cli.run('run', file, '--out', 'nowhere/out.safetensors', '--json');
    expect([outcome.code, outcome.stdout]).toEqual([2, '']);
    expect(onlyLine(outcome)).toMatch(/^nowhere\/out\.safetensors: cannot be written: ENOENT/);
    expect(cli.names()).toEqual(before);
  });

  test('onto a folder leaves it, and nothing beside it', async () => {
    const file = cli.write('good.attention.json', good);
    mkdirSync(cli.path('taken'));
    const before = cli.names();
    const outcome = await cli.run('run', file, '--out', 'taken');
    expect([outcome.code, outcome.stdout]).toEqual([2, '']);
    expect(onlyLine(outcome)).toMatch(/^taken: cannot be written: /);
    expect(cli.names()).toEqual(before);
  });

  test('of a setup that cannot be computed leaves the old file', async () => {
    cli.write('kept.safetensors', 'old');
    const outcome = await cli.run(
      'run',
      cli.write('bad.attention.json', '{}'),
      '--out',
      'kept.safetensors',
    );
    expect(outcome.code).toBe(2);
    expect(readFileSync(cli.path('kept.safetensors'), 'utf8')).toBe('old');
  });
});
