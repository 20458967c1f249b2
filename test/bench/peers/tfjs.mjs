// TensorFlow.js on its WebAssembly backend, one thread, float32, one head: node tfjs.mjs N 1 FOLDER
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { serve, task } from './task.mjs';

const folder = process.argv[4];
const require = createRequire(pathToFileURL(join(folder, 'package.json')));
const tf = require('@tensorflow/tfjs-core');
const wasm = require('@tensorflow/tfjs-backend-wasm');
wasm.setThreadsCount(1);
wasm.setWasmPaths(join(folder, 'node_modules/@tensorflow/tfjs-backend-wasm/wasm-out/'));
await tf.setBackend('wasm');
await tf.ready();

const { n, d, x, W_K, W_Q, W_V, G } = task();
const given = [x, W_K, W_Q, W_V, G].map(({ shape, data }) =>
  tf.tensor2d(Float32Array.from(data), shape),
);
const mask = tf.tensor2d(
  Float32Array.from({ length: n * n }, (_, at) => (at % n > Math.floor(at / n) ? -1e9 : 0)),
  [n, n],
);
const [X, WK, WQ, WV, dY] = given;

await serve(`tfjs ${tf.version_core}, wasm, float32`, () =>
  tf.tidy(() => {
    const { matMul } = tf;
    const [K, Q, V] = [WK, WQ, WV].map((own) => matMul(X, own));
    const Z = tf.mul(matMul(Q, K, false, true), 1 / Math.sqrt(d));
    const P = tf.softmax(tf.add(Z, mask));
    const f = tf.sum(tf.mul(dY, matMul(P, V))).dataSync()[0];
    const dV = matMul(P, dY, true, false);
    const dP = matMul(dY, V, false, true);
    const dZ = tf.mul(P, tf.sub(dP, tf.sum(tf.mul(P, dP), 1, true)));
    const dS = tf.mul(dZ, 1 / Math.sqrt(d));
    const [dQ, dK] = [matMul(dS, K), matMul(dS, Q, true, false)];
    const dW = [dK, dQ, dV].map((own) => matMul(X, own, true, false));
    const dx = tf.addN([
      matMul(dK, WK, false, true),
      matMul(dQ, WQ, false, true),
      matMul(dV, WV, false, true),
    ]);
    dW.forEach((each) => each.dataSync());
    return { f, dx: Array.from(dx.dataSync()) };
  }),
);
