// mathjs: dense matrices of JavaScript numbers, one head.
import { all, create } from 'mathjs';
import { serve, task } from './task.mjs';

const math = create(all);
const { n, d, x, W_K, W_Q, W_V, G } = task();
const [X, WK, WQ, WV, dY] = [x, W_K, W_Q, W_V, G].map(({ shape: [rows, cols], data }) =>
  math.matrix(Array.from({ length: rows }, (_, i) => [...data.subarray(i * cols, (i + 1) * cols)])),
);
const rowwise = (a, fn) => math.matrix(a.toArray().map(fn));

await serve(`mathjs ${math.version}`, () => {
  const [K, Q, V] = [WK, WQ, WV].map((own) => math.multiply(X, own));
  const S = math.multiply(Q, math.transpose(K));
  const Z = math.multiply(S, 1 / Math.sqrt(d));
  const M = Z.map((value, [i, j]) => (j > i ? -Infinity : value));
  const P = rowwise(M, (row) => {
    const max = Math.max(...row);
    const exp = row.map((value) => Math.exp(value - max));
    const total = exp.reduce((a, b) => a + b, 0);
    return exp.map((value) => value / total);
  });
  const y = math.multiply(P, V);
  const f = math.sum(math.dotMultiply(dY, y));
  const dV = math.multiply(math.transpose(P), dY);
  const dP = math.multiply(dY, math.transpose(V));
  const weighted = math.dotMultiply(P, dP).toArray();
  const dots = weighted.map((row) => row.reduce((a, b) => a + b, 0));
  const dZ = math.dotMultiply(
    P,
    dP.map((value, [i]) => value - dots[i]),
  );
  const dS = math.multiply(dZ, 1 / Math.sqrt(d));
  const [dQ, dK] = [math.multiply(dS, K), math.multiply(math.transpose(dS), Q)];
  const XT = math.transpose(X);
  const dW = [dK, dQ, dV].map((own) => math.multiply(XT, own));
  const parts = [
    [dK, WK],
    [dQ, WQ],
    [dV, WV],
  ].map(([own, weight]) => math.multiply(own, math.transpose(weight)));
  const dx = parts.reduce((a, b) => math.add(a, b));
  if (dx.size()[0] !== n || dW.length !== 3) throw new Error('mathjs computed something else');
  return { f, dx: dx.toArray().flat() };
});
