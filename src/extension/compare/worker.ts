// The thread in which a person's tensors are compared, and large setups computed: VS Code must go on meanwhile.
import { parentPort, workerData } from 'node:worker_threads';
import { compare } from '../../compare/check.ts';
import { buildGraph } from '../../engine/heads/build.ts';
import { run } from '../../engine/run.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { resolveName } from '../../formats/nodeNames.ts';
import type { Computed, Question, RunQuestion } from './inWorker.ts';

/** The numbers go over, they are not copied. */
function reply(message: object, tensors: readonly Tensor[]): void {
  const buffers = tensors.map(({ data }) => data.buffer as ArrayBuffer);
  parentPort!.postMessage(message, [...new Set(buffers)]);
}

const question = workerData as Question | RunQuestion;
// Operations are functions, which no message holds: the graph is built anew.
const graph = buildGraph(question.config);
if ('trace' in question) {
  const compared = compare({ ...question, graph, resolve: resolveName });
  const pairs = compared.tensors.flatMap(({ tensor, judged }) => [tensor, judged]);
  reply(compared, pairs);
} else {
  const { values, gradients, contributions, notices } = run(graph);
  const computed: Computed = { values, gradients, contributions, notices };
  const parts = contributions.map(({ value }) => value);
  reply(computed, [...values.values(), ...gradients.values(), ...parts]);
}
