// 5,000 damaged messages of a runner: each is one that it may send, or refused; nothing else is thrown.
import { expect, test } from 'vitest';
import { fromRunner } from '../../src/mine/messages.ts';
import { Decoder, encode, WireError } from '../../src/mine/wire.ts';
import { amount, Counts, tell } from './amount.ts';
import { Mutations } from './mutate.ts';

const output = { name: 'P', dtype: 'float64', shape: [2, 2], data: Float64Array.of(1, NaN, -0, 4) };
const MESSAGES = [
  { type: 'ready' },
  { type: 'begins', phase: 'forward' },
  { type: 'forward', outputs: [output, { ...output, name: 'y' }], hasBackward: true },
  { type: 'backward', outputs: [] },
  { type: 'failed', message: 'm', stack: 's', place: { file: '/a', line: 1 } },
];

test('messages arrive as they were sent, however they are cut', () => {
  const all = MESSAGES.map(encode);
  const bytes = Buffer.concat(all);
  for (const size of [1, 7, 64, bytes.length]) {
    const decoder = new Decoder();
    const found: unknown[] = [];
    for (let at = 0; at < bytes.length; at += size)
      for (const message of decoder.push(bytes.subarray(at, at + size)))
        found.push(fromRunner(message));
    expect(found).toEqual(MESSAGES);
  }
});

test('damaged messages', () => {
  const counts = new Counts();
  const mutations = new Mutations(17);
  const total = amount(5000, 300);
  for (let n = 0; n < total; n++) {
    const decoder = new Decoder();
    let heard = 0;
    try {
      for (const message of decoder.push(mutations.bytes(encode(MESSAGES[n % MESSAGES.length])))) {
        fromRunner(message);
        heard++;
      }
      counts.add(heard > 0 ? 'heard' : 'not whole');
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      expect(error.message.length).toBeLessThan(200);
      counts.add('refused');
    }
  }
  tell("damaged messages of a person's process", counts.all);
  expect(Object.keys(counts.all).length).toBe(3);
});
