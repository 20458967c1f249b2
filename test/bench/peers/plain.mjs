// Plain loops in JavaScript, float64, as a person would write them who knows about caches.
import { serve, task } from './task.mjs';

const { n, heads, d, width, x, W_K, W_Q, W_V, W_O, G } = task();

/** C += A B for (m, k) (k, p). */
function product(a, b, m, k, p) {
  const c = new Float64Array(m * p);
  for (let i = 0; i < m; i++) {
    for (let l = 0; l < k; l++) {
      const value = a[i * k + l];
      for (let j = 0; j < p; j++) c[i * p + j] += value * b[l * p + j];
    }
  }
  return c;
}

function transposed(a, rows, cols) {
  const out = new Float64Array(a.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < cols; j++) out[j * rows + i] = a[i * cols + j];
  return out;
}

const head = (a, h) => {
  const out = new Float64Array(n * d);
  for (let i = 0; i < n; i++)
    out.set(a.subarray(i * width + h * d, i * width + (h + 1) * d), i * d);
  return out;
};
const put = (all, a, h) => {
  for (let i = 0; i < n; i++) all.set(a.subarray(i * d, (i + 1) * d), i * width + h * d);
};

function attend(Q, K, V) {
  const S = product(Q, transposed(K, n, d), n, d, n);
  const Z = S.map((value) => value / Math.sqrt(d));
  const M = Z.map((value, at) => (at % n > Math.floor(at / n) ? -Infinity : value));
  const P = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    let max = -Infinity;
    for (let j = 0; j < n; j++) max = Math.max(max, M[i * n + j]);
    let total = 0;
    for (let j = 0; j < n; j++) total += P[i * n + j] = Math.exp(M[i * n + j] - max);
    for (let j = 0; j < n; j++) P[i * n + j] /= total;
  }
  return { S, Z, M, P, O: product(P, V, n, n, d) };
}

function attendBack({ P }, Q, K, V, dO) {
  const dV = product(transposed(P, n, n), dO, n, n, d);
  const dP = product(dO, transposed(V, n, d), n, d, n);
  const dZ = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    let dot = 0;
    for (let j = 0; j < n; j++) dot += P[i * n + j] * dP[i * n + j];
    for (let j = 0; j < n; j++) dZ[i * n + j] = P[i * n + j] * (dP[i * n + j] - dot);
  }
  const dS = dZ.map((value) => value / Math.sqrt(d));
  return { dQ: product(dS, K, n, n, d), dK: product(transposed(dS, n, n), Q, n, n, d), dV };
}

await serve('plain loops', () => {
  const [K, Q, V] = [W_K, W_Q, W_V].map(({ data }) => product(x.data, data, n, width, width));
  const all = Array.from({ length: heads }, (_, h) => [Q, K, V].map((each) => head(each, h)));
  const steps = all.map(([q, k, v]) => attend(q, k, v));
  const C = new Float64Array(n * width);
  steps.forEach(({ O }, h) => put(C, O, h));
  const y = W_O ? product(C, W_O.data, n, width, width) : C;
  const f = y.reduce((total, value, at) => total + value * G.data[at], 0);
  const dC = W_O ? product(G.data, transposed(W_O.data, width, width), n, width, width) : G.data;
  const [dQ, dK, dV] = [0, 1, 2].map(() => new Float64Array(n * width));
  const kept = all.map(([q, k, v], h) => {
    const back = attendBack(steps[h], q, k, v, head(dC, h));
    put(dQ, back.dQ, h);
    put(dK, back.dK, h);
    put(dV, back.dV, h);
    return back;
  });
  const xT = transposed(x.data, n, width);
  const dW = [dK, dQ, dV].map((each) => product(xT, each, width, n, width));
  if (W_O) dW.push(product(transposed(C, n, width), G.data, width, n, width));
  const parts = [
    [dK, W_K],
    [dQ, W_Q],
    [dV, W_V],
  ].map(([each, { data }]) => product(each, transposed(data, width, width), n, width, width));
  const dx = parts[0].map((value, at) => value + parts[1][at] + parts[2][at]);
  return { f, dx, kept: [kept, dW, steps] };
});
