// Programs that answer expressions as a debugger does: a Python that runs beside the test, and this JavaScript.
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { PausedFrame } from '../../../src/extension/debugger/tensor.ts';

/** Evaluates each line, a JSON string, in a function's frame; as debugpy, by globals that hold its locals, too. */
const EVALUATE = String.raw`
import json, sys
def answer(variables):
    for line in sys.stdin:
        frame = dict(variables)
        try:
            text = repr(eval(json.loads(line), frame))
        except Exception as error:
            text = repr(error)
        changed = sorted(k for k in frame if k != '__builtins__' and frame[k] is not variables.get(k))
        print(json.dumps({'text': text, 'changed': changed}), flush=True)
`;

export interface PythonProgram extends PausedFrame {
  /** Names that an evaluation has bound anew. */
  readonly changed: readonly string[];
  readonly evaluations: number;
  end(): void;
}

/** A program that has run `code` and is paused; every answer is cut in the middle to at most `longest` characters. */
export function pythonProgram(
  python: string,
  code: string,
  longest = Number.POSITIVE_INFINITY,
): PythonProgram {
  const program = `${EVALUATE}\nvariables = {}\nexec(${JSON.stringify(code)}, variables)\nanswer(variables)`;
  const child: ChildProcess = spawn(python, ['-W', 'error', '-c', program], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  const changed: string[] = [];
  let evaluations = 0;
  const evaluate = async (expression: string): Promise<string> => {
    evaluations++;
    child.stdin!.write(`${JSON.stringify(expression)}\n`);
    const { value, done } = await lines.next();
    if (done) throw new Error('the program has ended');
    const reply = JSON.parse(value) as { text: string; changed: string[] };
    changed.push(...reply.changed);
    return cut(reply.text, longest);
  };
  return {
    changed,
    get evaluations() {
      return evaluations;
    },
    evaluate,
    variables: async () => {
      const names = await evaluate("' '.join(n for n in globals() if n != '__builtins__')");
      return names.slice(1, -1).split(' ');
    },
    end: () => void child.kill(),
  };
}

function cut(text: string, longest: number): string {
  if (text.length <= longest) return text;
  const half = Math.floor((longest - 3) / 2);
  return `${text.slice(0, half)}...${text.slice(-half)}`;
}

/** A function of this JavaScript, paused: `evaluate` is its `(expression) => eval(expression)`. */
export function javascriptProgram(
  evaluate: (expression: string) => unknown,
  names: readonly string[],
  longest = Number.POSITIVE_INFINITY,
): PausedFrame {
  return {
    evaluate: async (expression) => cut(String(evaluate(expression)), longest),
    variables: () => Promise.resolve(names),
  };
}
