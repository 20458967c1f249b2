// The thread in which a person's tensors are compared: it may take seconds, in which VS Code must go on.
import { parentPort, workerData } from 'node:worker_threads';
import { compare } from '../../compare/check.ts';
import { buildGraph } from '../../engine/heads/build.ts';
import { resolveName } from '../../formats/nodeNames.ts';
import type { Question } from './inWorker.ts';

// Operations are functions, which no message holds: the graph is built anew.
const { config, trace, names } = workerData as Question;
const compared = compare({
  ...{ config, trace, names },
  graph: buildGraph(config),
  resolve: resolveName,
});
const buffers = compared.tensors.flatMap(({ tensor, judged }) => [tensor.data, judged.data]);
parentPort!.postMessage(compared, [...new Set(buffers.map(({ buffer }) => buffer as ArrayBuffer))]);
