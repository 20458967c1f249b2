// Self-attention by hand, forward and backward, with a mistake in backward that the comparison names.
// "Attention: Run Mine and Compare" on own-implementation.attention.json runs it.

const transpose = (a) => a[0].map((_, j) => a.map((row) => row[j]));
const product = (a, b) =>
  a.map((row) => b[0].map((_, j) => row.reduce((sum, value, k) => sum + value * b[k][j], 0)));
const sum = (a, b) => a.map((row, i) => row.map((value, j) => value + b[i][j]));
const dot = (a, b) => a.reduce((total, value, k) => total + value * b[k], 0);

/** softmax of each row */
function softmax(rows) {
  return rows.map((row) => {
    const most = Math.max(...row);
    const powers = row.map((value) => Math.exp(value - most));
    const total = powers.reduce((a, b) => a + b, 0);
    return powers.map((value) => value / total);
  });
}

/** Everything by its node's name: nested arrays, a row per token; S and P have a row per query. */
export function forward({ x, W_K, W_Q, W_V, scale }) {
  const K = product(x, W_K);
  const Q = product(x, W_Q);
  const V = product(x, W_V);
  const S = product(Q, transpose(K));
  const P = softmax(S.map((row, j) => row.map((s, i) => (i > j ? -Infinity : scale * s))));
  return { K, Q, V, S, P, y: product(P, V) };
}

/** dy is df/dy. */
export function backward({ x, W_K, W_Q, W_V, scale }, { K, Q, V, P }, dy) {
  const dV = product(transpose(P), dy);
  const dP = product(dy, transpose(V));
  const dS = P.map((row, j) => row.map((p, i) => p * (dP[j][i] - dot(row, dP[j]))));
  const dQ = product(dS, K);
  const dK = product(transpose(dS), Q);
  const dx = [
    product(dK, transpose(W_K)),
    product(dQ, transpose(W_Q)),
    product(dV, transpose(W_V)),
  ].reduce(sum);
  return {
    ...{ dV, dP, dS, dQ, dK, dx },
    dW_K: product(transpose(x), dK),
    dW_Q: product(transpose(x), dQ),
    dW_V: product(transpose(x), dV),
  };
}
