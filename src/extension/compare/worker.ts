// The thread in which a person's tensors are compared, and large setups computed: VS Code must go on meanwhile.
import { parentPort, workerData } from 'node:worker_threads';
import { compare } from '../../compare/check.ts';
import { bytesOfRun } from '../../engine/cost.ts';
import { buildGraph } from '../../engine/heads/build.ts';
import { runInParts } from '../../engine/run.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { resolveName } from '../../formats/nodeNames.ts';
import { drawn } from '../../stepper/outline.ts';
import { prepare } from '../../stepper/prepared.ts';
import { helped, runHelped } from '../../threads/helped.ts';
import type { Computed, Question, RunQuestion, Told } from './inWorker.ts';

/** The numbers go over, they are not copied. */
function reply(message: object, tensors: readonly Tensor[]): void {
  const buffers = tensors.map(({ data }) => data.buffer);
  // Shared memory is there already.
  const own = buffers.filter((buffer) => buffer instanceof ArrayBuffer);
  parentPort!.postMessage(message, [...new Set(own)]);
}

const question = workerData as Question | RunQuestion;
// Operations are functions, which no message holds: the graph is built anew.
const graph = buildGraph(question.config);
if ('trace' in question) {
  const compared = compare({
    ...{ ...question, graph, resolve: resolveName },
    computed: runHelped(graph),
  });
  const pairs = compared.tensors.flatMap(({ tensor, judged }) => [tensor, judged]);
  reply(compared, pairs);
} else {
  const threads = helped(bytesOfRun(graph));
  const parts = runInParts(graph);
  let next = parts.next();
  for (; !next.done; next = parts.next()) {
    const { made, ...part } = next.value;
    const told: Told = { part, drawn: made.map((each) => drawn(graph, each)) };
    reply(told, []);
  }
  const { values, gradients, contributions, notices } = next.value;
  const prepared = prepare(next.value);
  const computed: Computed = { values, gradients, contributions, notices, prepared };
  const made = contributions.map(({ value }) => value);
  reply(computed, [...values.values(), ...gradients.values(), ...made]);
  void threads?.end();
}
