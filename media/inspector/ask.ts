// Questions to the host and their answers.
import type { Answer, Question } from '../../src/inspect/messages.ts';
import { post } from './door.ts';

/** `null`: the tensor has changed meanwhile, or the question was taken back. */
type Settle = (answer: Answer | null, problem: string) => void;

const waiting = new Map<number, Settle>();
let lastId = 0;

/** Calls back once; `problem` is '' unless the question was refused. Returns how to take the question back. */
export function ask(question: Question, answered: Settle): () => void {
  const id = ++lastId;
  waiting.set(id, answered);
  post({ type: 'ask', id, question });
  return () => {
    if (waiting.delete(id)) post({ type: 'forget', id });
  };
}

export function settle(id: number, answer: Answer | null, problem: string): void {
  const callback = waiting.get(id);
  waiting.delete(id);
  callback?.(answer, problem);
}
