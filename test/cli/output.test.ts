// What is printed and written gets where it should or is told, and nothing in it acts on a terminal.
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { exampleText } from '../support/setups.ts';
import { onlyLine, useCli } from './cli.ts';

vi.setConfig({ testTimeout: 120_000 });
const cli = useCli();
const setup = (): string => cli.write('good.attention.json', exampleText('exercise'));
const isLinux = process.platform === 'linux';

beforeAll(() => {
  setup();
  cli.write('match.json', '{"f": 1}');
});

describe.runIf(isLinux)('a full disk', () => {
  test.concurrent.each([
    ['run good.attention.json'],
    ['run good.attention.json --json'],
    ['gradcheck good.attention.json'],
    ['gradcheck good.attention.json --json'],
    ['check good.attention.json --against match.json'],
    ['check good.attention.json --against match.json --json'],
    ['--help'],
  ])('%s', async (words) => {
    const outcome = await cli.shell(`$CLI ${words} > /dev/full`);
    expect([outcome.code, outcome.stdout]).toEqual([2, '']);
    expect(onlyLine(outcome)).toMatch(/^the output cannot be written: ENOSPC/);
  });

  test('standard error, and the file of --out', async () => {
    cli.write(
      'warns.attention.json',
      '{"head": "kq", "x": [[1]], "weights": {"W_K": [[1]], "W_Q": [[1]]}, "maskMeaning": "add"}',
    );
    expect((await cli.shell('$CLI run warns.attention.json 2> /dev/full')).code).toBe(2);
    const outcome = await cli.run('run', setup(), '--out', '/dev/full');
    expect([outcome.code, outcome.stdout]).toEqual([2, '']);
    expect(onlyLine(outcome)).toMatch(/^\/dev\/full: cannot be written: ENOSPC/);
    expect(statSync('/dev/full').isCharacterDevice()).toBe(true);
  });

  test('a reader that has read enough is no error', async () => {
    setup();
    const outcome = await cli.shell('$CLI run good.attention.json --json | head -c 1');
    expect(outcome).toEqual({ code: 0, stdout: '{', stderr: '' });
  });
});

describe('--out', () => {
  test.runIf(isLinux)('follows links, also to where nothing is yet, and keeps them', async () => {
    mkdirSync(cli.path('there'));
    writeFileSync(cli.path('there/old'), 'old');
    symlinkSync('there/old', cli.path('link'));
    symlinkSync('link', cli.path('link2'));
    symlinkSync('there/new', cli.path('dangling'));
    symlinkSync('round', cli.path('round'));
    for (const out of ['link2', 'dangling'])
      expect((await cli.run('run', setup(), '--out', out)).code).toBe(0);
    expect(readlinkSync(cli.path('link2'))).toBe('link');
    expect(readlinkSync(cli.path('link'))).toBe('there/old');
    expect(statSync(cli.path('there/old')).size).toBeGreaterThan(1000);
    expect(statSync(cli.path('there/new')).size).toBeGreaterThan(1000);
    const round = await cli.run('run', setup(), '--out', 'round');
    expect(onlyLine(round)).toMatch(/^round: cannot be written: ELOOP/);
  });

  test.runIf(isLinux)('keeps the mode', async () => {
    for (const mode of [0o600, 0o640, 0o755]) {
      const file = cli.write(`mode${mode}`, 'old');
      chmodSync(cli.path(file), mode);
      expect((await cli.run('run', setup(), '--out', file)).code).toBe(0);
      expect(statSync(cli.path(file)).mode & 0o7777).toBe(mode);
    }
    expect(await cli.shell('umask 027; $CLI run good.attention.json --out fresh')).toMatchObject({
      code: 0,
    });
    expect(statSync(cli.path('fresh')).mode & 0o7777).toBe(0o640);
  });

  test.runIf(isLinux)(
    'writes to a device, a FIFO and /dev/stdout, and never replaces them',
    async () => {
      setup();
      expect((await cli.run('run', 'good.attention.json', '--out', '/dev/null')).code).toBe(0);
      expect(lstatSync('/dev/null').isCharacterDevice()).toBe(true);
      const line = 'mkfifo pipe; cat pipe > read & $CLI run good.attention.json --out pipe; wait';
      expect((await cli.shell(line)).code).toBe(0);
      expect(lstatSync(cli.path('pipe')).isFIFO()).toBe(true);
      expect((await cli.run('run', 'good.attention.json', '--out', 'plain')).code).toBe(0);
      expect(readFileSync(cli.path('read'))).toEqual(readFileSync(cli.path('plain')));
      const through = '$CLI run good.attention.json --out /dev/stdout | head -c 2000 | wc -c';
      expect((await cli.shell(through)).stdout.trim()).toBe('2000');
    },
  );

  test('removes what killed writers of this machine have left, and nothing else', async () => {
    const host = createHash('sha256').update(hostname()).digest('hex').slice(0, 8);
    const draft = (of: string, pid: number): string =>
      cli.write(`.attention-${of}-${pid}-00aa.draft`, 'half');
    const dead = draft(host, 2 ** 22 + 1);
    const others = [
      draft(host, process.pid),
      draft('00000000', 2 ** 22 + 1),
      cli.write('.attention-notes', ''),
    ];
    expect((await cli.run('run', setup(), '--out', 'out')).code).toBe(0);
    expect(existsSync(cli.path(dead))).toBe(false);
    for (const name of others) expect(existsSync(cli.path(name))).toBe(true);
  });
});

const CLEAR = '\u001b[2J\u009b2J';
const FORGED = `${CLEAR}\r\nAll that is given is right.\u202e`;

describe('words of others', () => {
  const acts = /(?!\n)[\p{Cc}\p{Zl}\p{Zp}\u202e]/u;

  test('names in a trace', async () => {
    cli.write('forged.json', JSON.stringify({ [FORGED]: [1, 2, 3], ['n'.repeat(1e5)]: 1, f: 1 }));
    for (const more of [[], ['--json']]) {
      const { stdout } = await cli.run('check', setup(), '--against', 'forged.json', ...more);
      expect(stdout).not.toMatch(acts);
      expect(stdout.split('\n')).not.toContain('All that is given is right.');
      if (more.length === 0) expect(stdout.length).toBeLessThan(5000);
      else expect(JSON.stringify(JSON.parse(stdout))).toContain(JSON.stringify(FORGED));
    }
    cli.write('only.json', JSON.stringify({ [FORGED]: [1, 2, 3] }));
    const only = await cli.run('check', setup(), '--against', 'only.json');
    expect(onlyLine(only)).toContain('\\x1b[2J\\x9b2J\\r\\nAll that is given is right.\\u202e');
    expect(only.stdout + only.stderr).not.toMatch(acts);
  });

  test.runIf(isLinux)('paths, keys, what a module throws', async () => {
    const path = `a${CLEAR}\n.attention.json`;
    const weights = { W_K: [[1]], W_Q: [[1]] };
    cli.write(path, '{}');
    cli.write('key.attention.json', JSON.stringify({ [FORGED]: 1 }));
    cli.write('file.attention.json', JSON.stringify({ head: 'kq', x: { file: FORGED }, weights }));
    cli.write(
      'mine.attention.json',
      JSON.stringify({ head: 'kq', x: [[1]], weights, implementation: './mine.mjs' }),
    );
    cli.write('mine.mjs', `throw new Error(${JSON.stringify(FORGED)})`);
    for (const words of [
      ['run', path],
      ['run', FORGED],
      ['run', 'key.attention.json'],
      ['run', 'file.attention.json'],
      ['run', 'good.attention.json', '--out', `${FORGED}/a`],
      ['check', 'good.attention.json', '--against', FORGED],
      [FORGED, 'good.attention.json'],
      ['run', 'good.attention.json', `--${FORGED}`],
    ]) {
      const outcome = await cli.run(...words);
      expect(outcome.code).toBe(2);
      expect(onlyLine(outcome)).not.toMatch(acts);
    }
    const mine = await cli.run('check', 'mine.attention.json', '--mine');
    expect(mine.stderr).not.toMatch(acts);
    expect(mine.stderr.trimEnd().split('\n').at(-1)).toMatch(/^mine\.mjs:1: Error: \\x1b\[2J/);
  });
});

test('a short setup that asks for much says so before it is computed', async () => {
  const tokens = { random: 'normal', shape: [8000, 1] };
  const large = { head: 'kq', x: tokens, start: { Q: tokens, K: tokens } };
  const name = cli.write('large.attention.json', JSON.stringify(large));
  // The trace is not there: nothing is computed.
  const { code, stderr } = await cli.run('check', name, '--against', 'nowhere.npz');
  expect([code, ...stderr.trimEnd().split('\n')]).toEqual([
    2,
    expect.stringMatching(/^large\.attention\.json: warning: it takes about \d\.\d GB of memory$/),
    'nowhere.npz: no such file, expected a trace',
  ]);
});
