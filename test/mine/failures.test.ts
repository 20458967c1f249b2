// Every way in which a person's module can fail, and what is said of it.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import { useMine } from './mine.ts';

vi.setConfig({ testTimeout: 120_000 });
const mine = useMine();
let pids = 0;

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('what fails', () => {
  test.concurrent.each([
    [
      'forward',
      'export function forward({ x }) {\n  return x.nothing.at;\n}',
      'mine.mjs:2: TypeError: Cannot read properties of undefined',
    ],
    [
      'later',
      'export async function forward() {\n  await null;\n\n  throw new RangeError("too far\\nand more");\n}',
      'mine.mjs:4: RangeError: too far',
    ],
    [
      'backward',
      'export const forward = () => ({ f: 1 });\nexport const backward = () => { throw "just a text"; };',
      'mine.mjs: threw just a text',
    ],
    [
      'loading',
      'import "./not-there.mjs";\nexport const forward = 1;',
      'mine.mjs: Error: Cannot find module',
    ],
    [
      'its grammar',
      'export const forward = () => ({ f: 1 });\nconst = 3;',
      'mine.mjs:2: SyntaxError: Unexpected token',
    ],
    [
      'beside it',
      'export function forward() {\n  setTimeout(() => {\n    throw new Error("in a timer");\n  });\n  return new Promise(() => {});\n}',
      'mine.mjs:3: Error: in a timer',
    ],
  ])('in %s is told with its line', async (_, code, message) => {
    expect(await mine.failure(code)).toContain(message);
  });

  test.concurrent('in a module beside it is told with that one', async () => {
    mine.write('broken.mjs', '\n\nexport const boom = () => nothing.at;\n');
    const code = 'import { boom } from "./broken.mjs";\nexport const forward = () => boom();';
    expect(await mine.failure(code)).toBe('broken.mjs:3: ReferenceError: nothing is not defined');
  });

  test.concurrent('in TypeScript is told with the line of the source', async () => {
    const code =
      'interface A { b: number }\n\nexport function forward(a: A) {\n  throw new Error(String(a.b));\n}';
    expect(await mine.failure(code, { ending: 'mts' })).toBe('mine.mts:4: Error: undefined');
  });

  test.concurrent.each([
    ['loading it', 'for (;;);'],
    ['forward', 'export const forward = () => { for (;;); };'],
    ['forward', 'export const forward = () => new Promise(() => {});'],
    [
      'backward',
      'export const forward = () => ({ f: 1 });\nexport const backward = () => { for (;;); };',
    ],
  ])('%s that does not end is ended: %s', async (phase, code) => {
    const file = join(mine.folder, `pid${pids++}`);
    const first = `import { writeFileSync } from 'node:fs';\nwriteFileSync(${JSON.stringify(file)}, String(process.pid));\n`;
    expect(await mine.failure(first + code, { timeout: 3 })).toBe(
      `mine.mjs: ${phase} did not end in 3 s (the setup's implementation.timeout)`,
    );
    const pid = Number(readFileSync(file, 'utf8'));
    for (let tries = 0; tries < 100 && isAlive(pid); tries++) await sleep(50);
    expect(isAlive(pid)).toBe(false);
  });

  const forged = 'forward sent [^\\n]*, expected tensors to be returned$';
  test.concurrent.each([
    ['process.send(null);', 'TypeError: process.send is not a function'],
    ['write(Buffer.alloc(16));', forged],
    ['write(Buffer.alloc(64, 255));', forged],
    ['write(frame("null"));', forged],
    ['write(frame("{{"));', forged],
    ['write(frame(`{"type":"ready"}`));', forged],
    ['write(frame(`{"type":"backward","outputs":[]}`));', forged],
    ['write(frame(`{"type":"forward","outputs":[null],"hasBackward":false}`));', forged],
    [
      'write(frame(`{"type":"forward","outputs":[{"name":"P","dtype":"float64","shape":[9],"data":{"float64":[0,1]}}],"hasBackward":false}`));',
      forged,
    ],
    ['write(frame(`{"type":"failed","message":1,"stack":"","place":null}`));', forged],
    ['closeSync(3);', 'ended the process with exit code 1$'],
  ])('what it says to us by itself: %s', async (words, message) => {
    const code = `import { closeSync, writeSync } from 'node:fs';
      const write = (bytes) => writeSync(3, bytes);
      const frame = (text) => {
        const start = Buffer.alloc(8);
        start.writeUInt32LE(text.length);
        return Buffer.concat([start, Buffer.from(text)]);
      };
      export const forward = async () => {
        ${words}
        await new Promise((resolve) => setTimeout(resolve, 100));
        return { P: [1] };
      };`;
    expect(await mine.failure(code)).toMatch(new RegExp(`^mine\\.mjs(:\\d+)?: .*${message}`));
  });

  test.concurrent('what has no text is thrown', async () => {
    const code = 'export const forward = () => { throw Object.create(null); };';
    expect(await mine.failure(code)).toBe('mine.mjs: threw a object');
  });

  test('nothing waits behind the last tensor', async () => {
    const timers = (): number =>
      process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const before = timers();
    await mine.run('export const forward = () => ({ f: 1 });');
    expect(timers()).toBeLessThanOrEqual(before);
  });

  test.concurrent('the process itself ends', async () => {
    expect(await mine.failure('export const forward = () => process.exit(3);')).toBe(
      'mine.mjs: forward ended the process with exit code 3',
    );
  });

  test.concurrent('memory ends', async () => {
    const code =
      'export const forward = () => { const all = []; for (;;) all.push(Array(1e5).fill(all)); };';
    expect(await mine.failure(code, { memory: 64 })).toBe(
      'mine.mjs: forward took more memory than it may',
    );
  });

  test.concurrent('memory outside of the heap ends', async () => {
    const code =
      'export const forward = () => { const all = []; for (;;) all.push(new Float64Array(1e6).fill(1)); };';
    expect(await mine.failure(code, { memory: 128 })).toBe(
      'mine.mjs: forward took more memory than it may',
    );
  });

  test.concurrent('nobody waits any more', async () => {
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 500);
    const code = 'export const forward = () => { for (;;); };';
    expect(await mine.failure(code, { signal: stop.signal })).toBe('mine.mjs: was stopped');
  });

  test('what is printed is passed on, up to a limit, and the stack of an error', async () => {
    mine.printed.length = 0;
    await mine.run(`export function forward() {
      console.log('to out');
      console.error('to err');
      return { f: 1 };
    }`);
    expect(mine.printed.sort()).toEqual(['to err\n', 'to out\n']);
    mine.printed.length = 0;
    await mine.failure(
      'console.log("a".repeat(2 ** 21));\nexport const forward = () => { throw new Error("deep"); };',
    );
    const text = mine.printed.join('');
    expect(text.length).toBeLessThan(2 ** 20 + 2000);
    // All in one, a failure would print a megabyte.
    expect([/is left out/.test(text), /Error: deep\n {4}at forward/.test(text)]).toEqual([
      true,
      true,
    ]);
  });
});
