// The thread that helps another to compute.
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { type Employment, type Order, serve } from './crew.ts';

serve(
  workerData as Employment,
  () => receiveMessageOnPort(parentPort!)?.message as Order | undefined,
);
