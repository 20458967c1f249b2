// jax-js on its WebAssembly backend, one head: node jaxjs.mjs N 1 FOLDER float64
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { serve, task } from './task.mjs';

const [folder, dtype] = process.argv.slice(4);
const home = join(folder, 'node_modules/@jax-js/jax/dist/index.js');
const {
  defaultDevice,
  init,
  jit,
  nn,
  numpy: np,
  valueAndGrad,
} = await import(pathToFileURL(home).href);
await init('wasm');
defaultDevice('wasm');

const { n, d, x, W_K, W_Q, W_V, G } = task();
const array = ({ shape, data }) =>
  np.array(dtype === 'float64' ? data : Float32Array.from(data), { shape, dtype: np[dtype] });
const hidden = new Float64Array(n * n);
for (let at = 0; at < hidden.length; at++) hidden[at] = at % n > Math.floor(at / n) ? -1e9 : 0;
const mask = array({ shape: [n, n], data: hidden });
const upstream = array(G);
const given = [x, W_K, W_Q, W_V].map(array);

/** Every use but the last of an array takes a reference. */
const objective = (own) => {
  const [X, WK, WQ, WV] = own;
  const K = np.matmul(X.ref, WK);
  const Q = np.matmul(X.ref, WQ);
  const V = np.matmul(X, WV);
  const Z = np.matmul(Q, np.transpose(K)).mul(1 / Math.sqrt(d));
  const P = nn.softmax(Z.add(mask.ref), -1);
  return np.matmul(P, V).mul(upstream.ref).sum();
};
const compute = jit(valueAndGrad(objective));

await serve(`jax-js, wasm, ${dtype}`, async () => {
  const [f, [dx, ...dW]] = compute(given.map((each) => each.ref));
  for (const each of dW) await each.data();
  return { f: (await f.data())[0], dx: await dx.data() };
});
