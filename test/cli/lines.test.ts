// lines FILE: which line of a person's own program is wrong. Needs a Python with NumPy (ATTENTION_PYTHON).
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { beforeAll, describe, expect, test, vi } from 'vitest';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const PYTHON = process.env['ATTENTION_PYTHON'] ?? '/usr/bin/python3';

function hasNumpy(): boolean {
  try {
    execFileSync(PYTHON, ['-c', 'import numpy'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const root = join(import.meta.dirname, '..', '..');
const folder = mkdtempSync(join(tmpdir(), 'attention-lines-'));

const PROGRAM = `import numpy as np

rng = np.random.default_rng(5)
n, d, a = 5, 6, 4
x = rng.normal(size=(n, d))
w_q, w_k, w_v = rng.normal(size=(3, d, a)) * 0.5
target = rng.normal(size=(n, a))

q, k, v = x @ w_q, x @ w_k, x @ w_v
s = q @ k.T / np.sqrt(a)
e = np.exp(s - s.max(axis=1, keepdims=True))
p = e / e.sum(axis=1, keepdims=True)
y = p @ v
print("f", 0.5 * ((y - target) ** 2).sum())

dy = y - target
dv = p.T @ dy
dp = dy @ v.T
row = (dp * p).sum(axis=1, keepdims=True)
ds = p * (dp - row) / np.sqrt(a)
dq = ds @ k
dk = ds.T @ q
dx = dq @ w_q.T + dk @ w_k.T + dv @ w_v.T
`;

interface Answer {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function lines(name: string, source: string | null, ...words: string[]): Answer {
  const file = join(folder, name);
  if (source !== null) writeFileSync(file, source);
  const cli = join(folder, 'dist', 'cli.js');
  const env = { ...process.env, ATTENTION_PYTHON: PYTHON };
  return spawnSync(process.execPath, [cli, 'lines', file, ...words], { encoding: 'utf8', env });
}

/** The program with one line replaced; the number of that line. */
function mutated(right: string, wrong: string): { source: string; line: number } {
  const line = PROGRAM.split('\n').findIndex((text) => text.includes(right)) + 1;
  expect(line).toBeGreaterThan(0);
  return { source: PROGRAM.replace(right, wrong), line };
}

describe.skipIf(!hasNumpy())('a program in NumPy', () => {
  beforeAll(async () => {
    mkdirSync(join(folder, 'python'));
    execFileSync('cp', ['-r', join(root, 'python', 'attention_lines'), join(folder, 'python')]);
    await build({
      entryPoints: [join(root, 'src', 'cli.ts')],
      outfile: join(folder, 'dist', 'cli.js'),
      ...{ bundle: true, platform: 'node', format: 'esm', mainFields: ['module', 'main'] },
      banner: {
        js: "import { createRequire as from } from 'node:module'; const require = from(import.meta.url);",
      },
    });
    writeFileSync(join(folder, 'dist', 'package.json'), '{"type": "module"}');
  });

  test('that is right matches, its setup inferred from it', () => {
    const { status, stdout } = lines('right.py', PROGRAM, '--json');
    const { verdict, first, lines: found, setup } = JSON.parse(stdout);
    expect({ verdict, first, status }).toEqual({ verdict: 'match', first: null, status: 0 });
    expect(setup.head).toBe('qkv');
    const s = found.find((each: { name: string }) => each.name === 's');
    expect(s).toMatchObject({
      file: 'right.py',
      line: 10,
      node: 'Z',
      kind: 'value',
      status: 'match',
    });
  });

  test.each([
    [
      'a sum over the other axis',
      'e.sum(axis=1, keepdims=True)',
      'e.sum(axis=0, keepdims=True)',
      'P',
    ],
    [
      'a row sum without keepdims',
      '(dp * p).sum(axis=1, keepdims=True)',
      '(dp * p).sum(axis=1)',
      null,
    ],
    ['a missing transpose', 'dk = ds.T @ q', 'dk = ds @ q', 'K'],
    [
      'a path that is left out',
      'dx = dq @ w_q.T + dk @ w_k.T + dv @ w_v.T',
      'dx = dq @ w_q.T + dk @ w_k.T',
      'x',
    ],
    [
      'weights of another projection',
      'x @ w_q, x @ w_k, x @ w_v',
      'x @ w_q, x @ w_v, x @ w_k',
      null,
    ],
  ])('with %s is told its line', (_, right, wrong, node) => {
    const { source, line } = mutated(right, wrong);
    const { status, stdout } = lines('wrong.py', source, '--setup', writeSetup(), '--json');
    const { verdict, first } = JSON.parse(stdout);
    expect(status).toBe(1);
    expect(verdict).toBe('diverges');
    expect(first).toMatchObject({ file: 'wrong.py', ...(node !== null && { node }) });
    // The row term is seen to be wrong there or where it is used.
    expect([line, ...(node === null ? [line + 1] : [])]).toContain(first.line);
  });

  test('is reported in words, with its line', () => {
    const { source, line } = mutated('dk = ds.T @ q', 'dk = ds @ q');
    const { stdout, stderr } = lines('words.py', source, '--setup', writeSetup());
    expect(stdout).toContain(`First wrong: words.py:${line}, which computes dK\n  dk = ds @ q`);
    expect(stdout).toContain('dK: the gradient of f with respect to the keys K');
    expect(stdout).toMatch(/\nCause: dS in dK is transposed {2}\[backward-operand-transposed\]\n/);
    expect(stdout).toMatch(
      /\n {2}yours: .+\n {2}right: .+\n {2}write: dK = dS\.swapaxes\(-1, -2\) @ Q\n/,
    );
    expect(stdout).toMatch(/words\.py:\d+ +dq +dQ +✓ right/);
    expect(stdout).toMatch(/words\.py:\d+ +dk +dK +✗ wrong/);
    expect(stdout).toMatch(/words\.py:\d+ +dx +dx +↳ follows/);
    expect(stderr).toContain('f ');
  });

  test('with a setup that has comments is held against it, and gives it back without them', () => {
    const { source } = mutated('dk = ds.T @ q', 'dk = ds @ q');
    const setup = writeSetup();
    const text = readFileSync(setup, 'utf8');
    writeFileSync(setup, `// what was meant\n${text.trimEnd().replace(/\}$/, ',}')}\n`);
    const { status, stdout } = lines('commented.py', source, '--setup', setup, '--json');
    expect(status).toBe(1);
    expect(JSON.parse(stdout).setup).toEqual(JSON.parse(text));
  });

  test('is run with the arguments that its setup was saved with, unless others are given', () => {
    const own = 'import sys\nprint("told", sys.argv[1:])\n';
    const setup = writeSetup();
    const source = { file: 'asked.py', function: '', args: ['--size', '4'] };
    const entries = JSON.parse(readFileSync(setup, 'utf8'));
    writeFileSync(setup, JSON.stringify({ ...entries, source }));
    const said = (...words: string[]): string =>
      lines('asked.py', own + PROGRAM, '--setup', setup, ...words).stderr;
    expect(said()).toContain("told ['--size', '4']");
    expect(said('--', '--size', '5')).toContain("told ['--size', '5']");
    expect(lines('other.py', own + PROGRAM, '--setup', setup).stderr).toContain('told []');
  });

  test('has an unknown cause told as unknown, with what is known', () => {
    const { source } = mutated(
      'dk = ds.T @ q',
      'dk = np.tanh(ds.T @ q * 3) ** 2 - ds.T @ np.cos(q)',
    );
    const { stdout } = lines('unknown.py', source, '--setup', writeSetup());
    expect(stdout).toMatch(/\nCause: unknown; .*20 of 20 entries differ/);
  });

  test('that gives NaN where a query sees no key has it said', () => {
    const { source, line } = mutated(
      's = q @ k.T / np.sqrt(a)',
      's = q @ k.T / np.sqrt(a) + np.triu(np.full((n, n), -np.inf))',
    );
    const { stdout } = lines('blind.py', source);
    expect(stdout).toContain(
      `Note: e is NaN from blind.py:${line + 1} on: every key of query 0 is masked`,
    );
  });

  test('that breaks off is judged until then', () => {
    const { status, stdout } = lines(
      'broken.py',
      `${PROGRAM}\nraise ValueError("no more")\n`,
      '--json',
    );
    const { verdict, notes } = JSON.parse(stdout);
    expect({ verdict, status }).toEqual({ verdict: 'match', status: 0 });
    expect(notes[0]).toContain('ValueError');
  });

  test('that fails where it computes is told there, and not called right', () => {
    const { source, line } = mutated('dq = ds @ k', 'dq = x @ ds');
    const { status, stdout } = lines('failed.py', source, '--json');
    const { verdict, first, notes } = JSON.parse(stdout);
    expect({ verdict, status }).toEqual({ verdict: 'diverges', status: 1 });
    expect(first).toEqual({ file: 'failed.py', line, endLine: line, node: null, kind: 'other' });
    expect(notes.join()).toMatch(/ended with ValueError at failed\.py/);
    const said = lines('failed.py', null).stdout;
    expect(said).toMatch(new RegExp(`First wrong: failed\\.py:${line}\n  dq = x @ ds\n`));
  });

  test('that fails at what is no tensor is right until then, and it is said', () => {
    const { source } = mutated('dq = ds @ k', 'import nothing_of_this_name');
    const { status, stdout } = lines('stopped.py', source);
    expect(status).toBe(0);
    expect(stdout).toMatch('All that was computed until it ended is right.');
  });

  test.each([
    ['that is not there', null, /^\S+nowhere\.py: no such file/],
    ['with a syntax error', 'x = (1\ny = 2\n', /syntax\.py:1: SyntaxError/],
    ['without attention', 'import numpy as np\nx = np.ones(3)\n', /found no attention/],
    ['that reads', 'x = 1\nn = input()\n', /syntax\.py:2: the program ended here with EOFError/],
    [
      'that lacks a file',
      'x = 1\nimport numpy\nnumpy.load("no.npy")\n',
      /syntax\.py:3: the program ended here with FileNotFoundError: .*no\.npy.*folder in which it is run/,
    ],
    ['that is a setup', '{"head": "kq"}', /this is no Python program; .* --setup/],
    ['that asks for arguments', 'x = 1\nimport sys\nsys.exit(2)\n', /exit code 2 .* after "--"/],
    [
      'that calls nothing',
      'x = 1\ndef mha(q):\n    return q\n',
      /mha is defined, and nothing calls/,
    ],
  ])('%s is refused in one line', (_, source, message) => {
    const names: Record<string, string> = { x: 'syntax.py', '{': 'setup.json' };
    const name = source === null ? 'nowhere.py' : (names[source[0]] ?? 'none.py');
    const { status, stdout, stderr } = lines(name, source);
    expect(status).toBe(2);
    expect(stdout).toBe('');
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(stderr).toMatch(message);
  });
});

/** The setup that PROGRAM means, with the numbers that its generator gives. */
function writeSetup(): string {
  const file = join(folder, 'right.attention.json');
  const script = `${PROGRAM.split('\nq, k, v')[0]}
import json
print(json.dumps({"head": "qkv", "x": x.tolist(), "loss": {"target": target.tolist()},
  "weights": {"W_Q": w_q.tolist(), "W_K": w_k.tolist(), "W_V": w_v.tolist()}}))`;
  writeFileSync(file, execFileSync(PYTHON, ['-c', script]));
  return file;
}
