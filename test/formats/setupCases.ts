// Good and bad setups with what is to be said about them, for the parser and for the JSON Schema.

const x = '"x": [[1, 2], [3, 4]]';
const KQ = `"head": "kq", ${x}, "weights": {"W_K": [[1], [2]], "W_Q": [[3], [4]]}`;
const QKV = `"head": "qkv", ${x}, "weights": {"W_K": [[1], [2]], "W_Q": [[3], [4]], "W_V": [[5], [6]]}`;
const MULTI = QKV.replace('qkv', 'multihead');

/** Setups without any problem. */
export const GOOD: readonly string[] = [
  `{${KQ}}`,
  `{ // a comment\n ${KQ}, /* and another */ }`,
  `\uFEFF{${KQ}}`,
  `{"$schema": "s.json", "title": "t", "description": "d", ${KQ}}`,
  `{${KQ}, "xPrime": [[1, 2]], "scale": 0.5, "mask": "causal", "softcap": 30, "axes": "query-first"}`,
  `{${KQ}, "scale": "1/sqrt(d)", "energy": true}`,
  `{${KQ}, "heads": 1, "kvHeads": 1}`,
  `{${QKV}, "mask": [[0, "-inf"], ["-INF", "inf"]], "maskMeaning": "add", "window": 2}`,
  `{${QKV}, "mask": [[true, false], [false, true]]}`,
  `{${QKV}, "mask": {"file": "m.npy"}, "maskMeaning": "ignore"}`,
  `{${QKV}, "mask": ["causal", {"kind": "padding", "lengths": [2]}, {"kind": "padding", "keep": [true, false]}, {"kind": "prefix", "length": 1}]}`,
  `{${QKV}, "mask": [{"kind": "window", "left": 0}, {"kind": "window", "left": 1, "right": 2}, {"kind": "chunked", "size": 2}]}`,
  `{${QKV}, "mask": [{"kind": "documents", "ids": [0, 1], "queryIds": [0, 1]}, {"kind": "given", "tensor": {"file": "m.npy"}, "meaning": "ignore"}]}`,
  `{${QKV}, "dropout": {"p": 0, "keep": [[1, 0], [1, 1]]}, "alibi": true}`,
  `{${MULTI}, "heads": 4, "kvHeads": 2, "alibi": [0.5, 0.25, 0.125, 1]}`,
  `{${MULTI}, "rope": {"pairing": "interleaved"}, "past": {"K": [[[1]]], "V": [[[1]]]}}`,
  `{${MULTI}, "rope": {"base": 500000, "pairing": "half"}}`,
  `{${MULTI}, "rope": {"pairing": "half", "features": 2, "scaling": {"kind": "linear", "factor": 4}, "positions": [0, 1]}}`,
  `{${MULTI}, "rope": {"pairing": "half", "scaling": {"kind": "ntk", "factor": 8}, "positions": {"file": "p.npy"}, "queryPositions": [[0, 1]]}}`,
  `{${MULTI}, "rope": {"pairing": "half", "scaling": {"kind": "llama3", "factor": 8, "originalLength": 8192, "lowFreqFactor": 1, "highFreqFactor": 4}}}`,
  `{${MULTI}, "rope": {"pairing": "half", "scaling": {"kind": "yarn", "factor": 4, "originalLength": 4096, "betaFast": 16, "betaSlow": 2, "magnitude": 1.2, "truncate": false}}}`,
  `{${MULTI}, "rope": {"invFreq": [1, 0.1], "sections": [1, 1], "positions": [[0, 1], [0, 0]], "pairing": "interleaved"}}`,
  `{${MULTI.replace('[6]]', '[6]], "B": [[[1]]]')}, "positionBias": {"kind": "learned"}}`,
  `{${MULTI.replace('[6]]', '[6]], "B": [[1]]')}, "positionBias": {"kind": "t5", "bidirectional": false, "maxDistance": 64}}`,
  `{${MULTI.replace('[6]]', '[6]], "B": [[1]]')}, "positionBias": {"kind": "swin", "window": [7, 7]}}`,
  `{"head": "multihead", "start": {"Q": [[1]], "K": [[1]], "V": [[1]]}}`,
  `{"head": "multihead", ${x}, "weights": {"W_Q": {"file": "/abs/a.npz", "key": "q"}, "b_Q": [1], "W_O": [[1]], "b_O": [1]}, "start": {"K": [[1]], "V": [[1]]}}`,
  `{${KQ.replace(x, '"x": {"random": "normal", "shape": [2, 2], "seed": 4294967295, "std": 0, "mean": -1}')}}`,
  `{${KQ.replace(x, '"x": {"random": "uniform", "shape": [2, 2], "low": -1, "high": 1}')}}`,
  `{${KQ}, "loss": {"upstream": [[1, 2]]}}`,
  `{${KQ}, "loss": {"target": {"file": "a.npz"}}}`,
  `{${KQ}, "loss": {"expression": "sum(a * y .* G)", "constants": {"a": 2, "G": [[1]]}}}`,
  `{${KQ}, "names": {"attn_probs": "P", "grad_q": "dQ", "__proto__": "dW_K"}}`,
  `{${KQ.replace('[[1, 2], [3, 4]]', '[["nan", 2], [3, "Infinity"]]')}}`,
  `{${KQ}, "numberType": "tf32"}`,
  `{${KQ}, "implementation": "./mine.mjs"}`,
  `{${KQ}, "implementation": {"module": "../a b/mine.cts", "timeout": 0.5}}`,
  `{${KQ}, "source": {"file": "mha.py", "function": "MHA.forward", "args": ["--heads", "2", ""]}}`,
  `{${KQ}, "source": {"file": "mha.py", "function": ""}}`,
  `{${MULTI.replace('[6]]', '[6]], "gamma_Q": [1], "gamma_K": [1]')}, "qkNorm": {"kind": "rms", "eps": 0, "over": "all", "place": "after-rope", "unitOffset": true}}`,
  `{${MULTI.replace('[6]]', '[6]], "sinks": [1], "null_K": [1], "null_V": [1]')}, "zeroKey": true}`,
  `{${KQ}, "softmax": "plus-one"}`,
  `{"head": "multihead", ${x}, "weights": {"W_DKV": [[1], [2]], "W_K": [[1]], "W_V": [[1]], "W_Q": [[1], [2]], "W_KR": [[1, 2], [3, 4]], "W_QR": [[1, 2], [3, 4]]}, "latentNorm": "rms", "rope": {"pairing": "half"}}`,
  `{${MULTI.replace('[6]]', '[6]], "W_O": [[1, 2]], "gamma_pre": [1, 2]')}, "block": {"residual": true, "preNorm": "rms", "postNorm": {"kind": "layer", "eps": 0}}}`,
  `{${MULTI.replace('[6]]', '[6]], "lambda_q1": [1], "lambda_k1": [1], "lambda_q2": [1], "lambda_k2": [1], "gamma_O": [1]')}, "differential": {"layer": 0}}`,
  `{${MULTI.replace('[6]]', '[6]], "W_gate": [[1], [2]], "b_gate": [1], "headScale": [1]')}, "temperature": [1, 2]}`,
  `{${QKV}, "temperature": {"logN": 512}}`,
  `{${QKV}, "temperature": {"floor": 8192, "scale": 0.1}}`,
  `{${QKV}, "temperature": {"file": "t.npy"}}`,
  `{${MULTI}, "xPrime": [[1, 2]], "xValue": [[1, 2], [3, 4]], "grouping": "interleaved"}`,
  `{"head": "qkv", ${x}, "weights": {"W_QKV": [[1, 2, 3], [4, 5, 6]], "b_QKV": [1, 2, 3]}, "fused": "per-head", "weightLayout": "in-out"}`,
  `{${QKV.replace('[6]]', '[6]], "beta_K": [1]')}, "qkNorm": {"kind": "layer"}}`,
];

export interface BadCase {
  readonly text: string;
  /** Text that each problem begins with, in the order of the document. */
  readonly messages: readonly string[];
  /** The characters that the first problem is about. */
  readonly at: string;
  /** What the JSON Schema cannot tell: rules between entries, ragged arrays, sizes. */
  readonly schemaAccepts?: true;
  /** Only warnings: there is a setup. */
  readonly warning?: true;
}

export const BAD: readonly BadCase[] = [
  { text: '[]', messages: ['found an empty array, expected an object'], at: '[' },
  { text: '{}', messages: ['found no "head", expected "kq", "qkv" or "multihead"'], at: '{' },
  {
    text: '{"head": "self"}',
    messages: ['head: found the string "self", expected one of "kq", "qkv", "multihead"'],
    at: '"self"',
  },
  {
    text: `{${KQ}, "scal": 1}`,
    messages: ['scal: found an unknown key, did you mean "scale"?'],
    at: '"scal"',
  },
  {
    text: `{${KQ}, "x_prime": [[1]]}`,
    messages: ['x_prime: found an unknown key, did you mean "xPrime"?'],
    at: '"x_prime"',
  },
  {
    text: `{${KQ}, "qqqqqqqqq": 1}`,
    messages: ['qqqqqqqqq: found an unknown key, expected one of "$schema"'],
    at: '"qqqqqqqqq"',
  },
  {
    text: `{${KQ}, "x": [[1]]}`,
    messages: ['x: found this key twice, expected it once'],
    at: '"x"',
    schemaAccepts: true,
  },
  // Tensors
  {
    text: `{${KQ.replace('[3, 4]', '[3]')}}`,
    messages: ['x[1]: found an array of 1, expected an array of 2 as at x[0]'],
    at: '[3]',
    schemaAccepts: true,
  },
  {
    text: `{${KQ.replace('[3, 4]', '5')}}`,
    messages: ['x[1]: found the number 5, expected an array of 2 as at x[0]'],
    at: '5',
    schemaAccepts: true,
  },
  {
    text: `{${KQ.replace('[3, 4]', '[3, [4]]')}}`,
    messages: ['x[1][1]: found an array of 1, expected a number as at x[0][0]'],
    at: '[4]',
    schemaAccepts: true,
  },
  {
    text: `{${KQ.replace('4', 'null')}}`,
    messages: ['x[1][1]: found null, expected "nan", "inf" or a number (JavaScript'],
    at: 'null',
  },
  {
    text: `{${KQ.replace('4', '"4"')}}`,
    messages: ['x[1][1]: found the string "4", expected a number, "nan", "inf" or "-inf"'],
    at: '"4"',
  },
  {
    text: `{${KQ.replace('4', '"naan"')}}`,
    messages: ['x[1][1]: found the string "naan", expected a number; did you mean "nan"?'],
    at: '"naan"',
  },
  {
    text: `{${KQ.replace('4', 'true')}}`,
    messages: ['x[1][1]: found true, expected a number like the first entry'],
    at: 'true',
    schemaAccepts: true,
  },
  {
    text: `{${KQ}, "mask": [[true, 0]]}`,
    messages: ['mask[0][1]: found the number 0, expected true or false like the first entry'],
    at: '0',
    schemaAccepts: true,
  },
  {
    text: `{${KQ.replace('[3, 4]', '[]')}}`,
    messages: ['x[1]: found an empty array, expected at least one entry'],
    at: '[]',
  },
  {
    text: `{${KQ.replace('[[1, 2], [3, 4]]', '[]')}}`,
    messages: ['x: found an empty array, expected at least one entry'],
    at: '"x"',
  },
  {
    text: `{${KQ.replace('[[1, 2], [3, 4]]', '3')}}`,
    messages: ['x: found the number 3, expected nested arrays of numbers, {"file"'],
    at: '3',
  },
  {
    text: `{${KQ.replace('[[1, 2], [3, 4]]', '{"path": "a"}')}}`,
    messages: ['x: found an object, expected nested arrays'],
    at: '"x"',
  },
  {
    text: `{${KQ.replace('[[1, 2], [3, 4]]', '{"file": "a", "name": "b"}')}}`,
    messages: ['x.name: found an unknown key, expected one of "file", "key"'],
    at: '"name"',
  },
  {
    text: `{${KQ.replace('[[1, 2], [3, 4]]', '{"file": ""}')}}`,
    messages: ['x.file: found the string "", expected a text'],
    at: '""',
  },
  {
    text: `{${KQ.replace('[[1, 2], [3, 4]]', '{"random": "gauss", "shape": [2]}')}}`,
    messages: ['x.random: found the string "gauss", expected one of "normal", "uniform"'],
    at: '"gauss"',
  },
  {
    text: `{${KQ.replace('[[1, 2], [3, 4]]', '{"random": "normal"}')}}`,
    messages: ['x: found no "shape"'],
    at: '"x"',
  },
  {
    text: `{${KQ.replace('[[1, 2], [3, 4]]', '{"random": "normal", "shape": [2, 0]}')}}`,
    messages: ['x.shape: found [2, 0], expected an array of 1 to 32 integers from 1'],
    at: '"shape"',
  },
  {
    text: `{${KQ.replace('[[1, 2], [3, 4]]', '{"random": "normal", "shape": [20000, 20000]}')}}`,
    messages: ['x.shape: found [20000, 20000], expected at most 134217728 entries'],
    at: '"shape"',
    schemaAccepts: true,
  },
  {
    text: `{${KQ.replace('[[1, 2], [3, 4]]', '{"random": "normal", "shape": [2], "seed": -1}')}}`,
    messages: ['x.seed: found the number -1, expected an integer from 0 to 2^32 - 1'],
    at: '-1',
  },
  {
    text: `{${KQ.replace('[[1, 2], [3, 4]]', '{"random": "normal", "shape": [2], "low": 1}')}}`,
    messages: ['x.low: found with "normal", which takes "mean" and "std"'],
    at: '1',
  },
  {
    text: `{${KQ.replace('[[1, 2], [3, 4]]', '{"random": "uniform", "shape": [2], "low": 2, "high": 1}')}}`,
    messages: ['x: found low 2 above high 1'],
    at: '"x"',
    schemaAccepts: true,
  },
  // Fields
  {
    text: `{${KQ}, "scale": "1/sqrt(dh)"}`,
    messages: ['scale: found the string "1/sqrt(dh)", did you mean "1/sqrt(d)"?'],
    at: '"1/sqrt(dh)"',
  },
  {
    text: `{${KQ}, "scale": 1e999}`,
    messages: ['scale: found the number Infinity, expected a number'],
    at: '1e999',
    schemaAccepts: true,
  },
  {
    text: `{${KQ}, "softcap": 0}`,
    messages: ['softcap: found the number 0, expected a number above 0'],
    at: '0',
  },
  {
    text: `{${KQ}, "window": 1.5}`,
    messages: ['window: found the number 1.5, expected an integer from 1'],
    at: '1.5',
  },
  {
    text: `{${KQ}, "mask": "casual"}`,
    messages: ['mask: found the string "casual", did you mean "causal"?'],
    at: '"casual"',
  },
  {
    text: `{${KQ}, "mask": 1}`,
    messages: ['mask: found the number 1, expected the name of a mask, nested arrays'],
    at: '1',
  },
  {
    text: `{${KQ}, "mask": [[0]], "maskMeaning": "keep"}`,
    messages: ['maskMeaning: found the string "keep", expected one of'],
    at: '"keep"',
  },
  {
    text: `{${KQ}, "dropout": {"p": 1, "keep": [[1]]}}`,
    messages: ['dropout.p: found the number 1, expected a number from 0 to below 1'],
    at: '1',
  },
  { text: `{${KQ}, "dropout": {"p": 0.1}}`, messages: ['dropout: found no keep'], at: '"dropout"' },
  {
    text: `{${KQ}, "dropout": {}}`,
    messages: ['dropout: found neither, expected both p and keep'],
    at: '"dropout"',
  },
  {
    text: `{${MULTI}, "rope": {"pairing": "neox", "base": 0}}`,
    messages: [
      'rope.pairing: found the string "neox"',
      'rope.base: found the number 0, expected a number above 0',
    ],
    at: '"neox"',
  },
  {
    text: `{${KQ}, "alibi": false}`,
    messages: ['alibi: found false, expected true, nested arrays'],
    at: 'false',
  },
  {
    text: `{${KQ}, "weights": {}}`,
    messages: ['weights: found this key twice'],
    at: '"weights"',
    schemaAccepts: true,
  },
  {
    text: `{${KQ}, "names": {"p": "dp"}}`,
    messages: ['names.p: found the string "dp", did you mean "dP"?'],
    at: '"dp"',
  },
  {
    text: `{${KQ}, "names": {"p": "nothing"}}`,
    messages: ['names.p: found the string "nothing", expected a node ("P") or its gradient ("dP")'],
    at: '"nothing"',
  },
  {
    text: `{${KQ}, "names": ["P"]}`,
    messages: ['names: found an array of 1, expected an object'],
    at: '"names"',
  },
  {
    text: `{${KQ}, "axes": "rows"}`,
    messages: ['axes: found the string "rows", expected one of "query-first", "key-first"'],
    at: '"rows"',
  },
  {
    text: `{${KQ}, "energy": 1}`,
    messages: ['energy: found the number 1, expected true or false'],
    at: '1',
  },
  {
    text: `{${KQ}, "title": 1}`,
    messages: ['title: found the number 1, expected a string'],
    at: '1',
  },
  // Rules between entries
  {
    text: `{${KQ}, "heads": 2}`,
    messages: ['heads: found 2 with head "kq", expected 1'],
    at: '2',
    schemaAccepts: true,
  },
  {
    text: `{${MULTI}, "heads": 4, "kvHeads": 3}`,
    messages: ['kvHeads: found 3, expected a divisor of heads, which is 4'],
    at: '3',
    schemaAccepts: true,
  },
  {
    text: `{${QKV.replace('qkv', 'kq')}}`,
    messages: ['weights.W_V: found with head "kq", which has no value projection'],
    at: '"W_V"',
    schemaAccepts: true,
  },
  {
    text: `{${QKV.replace('W_V', 'W_O')}}`,
    messages: [
      'weights: found no W_V',
      'weights.W_O: found with head "qkv", which has no such step',
    ],
    at: '"weights"',
    schemaAccepts: true,
  },
  {
    text: `{${QKV}, "rope": {"pairing": "half"}}`,
    messages: ['rope: found with head "qkv", which has no such step'],
    at: '"rope"',
    schemaAccepts: true,
  },
  {
    text: `{${QKV}, "past": {"K": [[1]], "V": [[1]]}}`,
    messages: ['past: found with head "qkv"'],
    at: '"past"',
    schemaAccepts: true,
  },
  { text: `{${MULTI}, "past": {"K": [[1]]}}`, messages: ['past: found no V'], at: '"past"' },
  {
    text: `{"head": "kq", ${x}}`,
    messages: ['weights: found no W_K', 'weights: found no W_Q'],
    at: '{',
    schemaAccepts: true,
  },
  {
    text: `{${KQ.replace(`${x}, `, '')}}`,
    messages: ['found no "x"'],
    at: '{',
    schemaAccepts: true,
  },
  {
    text: `{"head": "qkv", "start": {"K": [[1]], "V": [[1]]}, "weights": {"W_Q": [[1]]}}`,
    messages: ['found no "x"'],
    at: '{',
    schemaAccepts: true,
  },
  {
    text: `{${KQ}, "start": {"Q": [[1]]}}`,
    messages: ['weights.W_Q: found beside start.Q'],
    at: '"W_Q"',
    schemaAccepts: true,
  },
  {
    text: `{${KQ}, "start": {"V": [[1]]}}`,
    messages: ['start.V: found with head "kq"'],
    at: '"V"',
    schemaAccepts: true,
  },
  {
    text: `{${MULTI.replace('"W_V"', '"b_O": [1], "W_V"')}}`,
    messages: ['weights.b_O: found without W_O'],
    at: '"b_O"',
    schemaAccepts: true,
  },
  {
    text: `{${KQ}, "loss": {}}`,
    messages: ['loss: found none, expected one of "upstream", "target" and "expression"'],
    at: '"loss"',
  },
  {
    text: `{${KQ}, "loss": {"target": [[1]], "expression": "y"}}`,
    messages: ['loss: found target and expression'],
    at: '"loss"',
  },
  {
    text: `{${KQ}, "loss": {"target": [[1]], "constants": {}}}`,
    messages: ['loss.constants: found without an expression'],
    at: '"constants"',
  },
  {
    text: `{${KQ}, "loss": {"expression": "y", "constants": {"y": 1}}}`,
    messages: ['loss.constants.y: found "y", expected another name'],
    at: '"y"',
  },
  {
    text: `{${KQ}, "loss": {"expression": "y", "constants": {"a b": 1}}}`,
    messages: ['loss.constants.a b: found a name that is not'],
    at: '"a b"',
  },
  // Warnings
  {
    text: `{${MULTI.replace('[6]]', '[6]], "B": [[1]]')}}`,
    messages: ['weights.B: found without "positionBias", which says how it is read'],
    at: '"B"',
    schemaAccepts: true,
  },
  {
    text: `{${MULTI.replace('[6]]', '[6]], "B": [[1]]')}, "positionBias": {"kind": "T5"}}`,
    messages: ['positionBias.kind: found the string "T5", did you mean "t5"?'],
    at: '"T5"',
  },
  {
    text: `{${MULTI.replace('[6]]', '[6]], "B": [[1]]')}, "positionBias": {"kind": "swin"}}`,
    messages: ['positionBias.window: expected the two sides of a window, as in [7, 7]'],
    at: '"positionBias"',
  },
  {
    text: `{${MULTI.replace('[6]]', '[6]], "B": [[1]]')}, "positionBias": {"kind": "t5", "window": [7, 7]}}`,
    messages: ['positionBias.window: found with the kind "t5", which has no such number'],
    at: '"window"',
  },
  {
    text: `{${MULTI}, "rope": {"pairing": "half", "features": 3}}`,
    messages: ['rope.features: found the number 3, expected an even integer from 2'],
    at: '3',
  },
  {
    text: `{${MULTI}, "rope": {"pairing": "half", "scaling": {"kind": "dynamic", "factor": 2}}}`,
    messages: ['rope.scaling.kind: found the string "dynamic", expected one of "linear", "ntk"'],
    at: '"dynamic"',
  },
  {
    text: `{${MULTI}, "rope": {"pairing": "half", "scaling": {"factor": 2}}}`,
    messages: ['rope.scaling: found an object without a "kind"'],
    at: '"scaling"',
  },
  {
    text: `{${MULTI}, "rope": {"pairing": "half", "scaling": {"kind": "yarn", "factor": 2}}}`,
    messages: ['rope.scaling: found no "originalLength", expected it'],
    at: '"scaling"',
  },
  {
    text: `{${MULTI}, "rope": {"pairing": "half", "scaling": {"kind": "linear", "factor": 2, "originalLength": 3}}}`,
    messages: ['rope.scaling.originalLength: found an unknown key'],
    at: '"originalLength"',
  },
  {
    text: `{${MULTI}, "rope": {"pairing": "half", "scaling": {"kind": "llama3", "factor": 2, "originalLength": 8, "lowFreqFactor": 4}}}`,
    messages: ['rope.scaling: found lowFreqFactor 4, expected it below highFreqFactor 4'],
    at: '"scaling"',
    schemaAccepts: true,
  },
  {
    text: `{${MULTI}, "rope": {"pairing": "half", "base": 100, "invFreq": [1]}}`,
    messages: ['rope.base: found beside invFreq, expected one of the two'],
    at: '100',
    schemaAccepts: true,
  },
  {
    text: `{${MULTI}, "rope": {"pairing": "half", "sections": [1]}}`,
    messages: ['rope.sections: found without "positions", one set of positions for each section'],
    at: '"sections"',
    schemaAccepts: true,
  },
  {
    text: `{${KQ}, "numberType": "fp8"}`,
    messages: ['numberType: found the string "fp8", expected one of "float64", "float32", "tf32"'],
    at: '"fp8"',
  },
  {
    text: `{${KQ}, "mask": ["causal", "none"]}`,
    messages: ['mask[1]: found the string "none", expected one of "causal", "causal-bottom-right"'],
    at: '"none"',
  },
  {
    text: `{${KQ}, "mask": ["causal", "causal-bottom-right"]}`,
    messages: ['mask[1]: found a second causal mask, expected one'],
    at: '"causal-bottom-right"',
    schemaAccepts: true,
  },
  {
    text: `{${KQ}, "mask": [{"kind": "paddding", "lengths": [1]}]}`,
    messages: ['mask[0].kind: found the string "paddding", did you mean "padding"?'],
    at: '"paddding"',
  },
  {
    text: `{${KQ}, "mask": [{"lengths": [1]}]}`,
    messages: ['mask[0]: found an object without a "kind", expected one of "given", "padding"'],
    at: '{"lengths": [1]}',
  },
  {
    text: `{${KQ}, "mask": [{"kind": "padding"}]}`,
    messages: ['mask[0]: found neither, expected one of lengths and keep'],
    at: '{"kind": "padding"}',
  },
  {
    text: `{${KQ}, "mask": [{"kind": "padding", "lengths": [1], "keep": [1, 1]}]}`,
    messages: ['mask[0]: found both, expected one of lengths and keep'],
    at: '{"kind": "padding", "lengths": [1], "keep": [1, 1]}',
  },
  {
    text: `{${KQ}, "mask": [{"kind": "window", "left": -1}]}`,
    messages: ['mask[0].left: found the number -1, expected an integer from 0'],
    at: '-1',
  },
  {
    text: `{${KQ}, "mask": [{"kind": "window"}]}`,
    messages: ['mask[0]: found neither, expected left or right'],
    at: '{"kind": "window"}',
  },
  {
    text: `{${KQ}, "mask": ["causal", {"kind": "prefix"}]}`,
    messages: ['mask[1]: found no "length", expected it'],
    at: '{"kind": "prefix"}',
  },
  {
    text: `{${KQ}, "mask": [{"kind": "chunked", "size": 0}]}`,
    messages: ['mask[0].size: found the number 0, expected an integer from 1'],
    at: '0',
  },
  {
    text: `{${KQ}, "mask": [{"kind": "prefix", "length": 1}]}`,
    messages: ['mask[0]: is not used: a prefix is seen in spite of a causal mask'],
    at: '{"kind": "prefix", "length": 1}',
    schemaAccepts: true,
    warning: true,
  },
  {
    text: `{${KQ}, "mask": ["causal"], "maskMeaning": "add"}`,
    messages: ['maskMeaning: is not used'],
    at: '"add"',
    schemaAccepts: true,
    warning: true,
  },
  {
    text: `{${KQ}, "maskMeaning": "add"}`,
    messages: ['maskMeaning: is not used'],
    at: '"add"',
    schemaAccepts: true,
    warning: true,
  },
  {
    text: `{${MULTI}, "rope": {}}`,
    messages: ['rope: found no "pairing", took "half"'],
    at: '"rope"',
    schemaAccepts: true,
    warning: true,
  },
  {
    text: `{${KQ}, "loss": {"expression": "1 + 1"}}`,
    messages: ['loss.expression: does not use y'],
    at: '"1 + 1"',
    schemaAccepts: true,
    warning: true,
  },
  {
    text: `{"head": "multihead", ${x}, "start": {"Q": [[1]], "K": [[1]], "V": [[1]]}}`,
    messages: ['x: is not used'],
    at: '"x"',
    schemaAccepts: true,
    warning: true,
  },
  {
    text: `{"head": "qkv", ${x}, "xPrime": [[1]], "start": {"Q": [[1]]}, "weights": {"W_K": [[1], [2]], "W_V": [[5], [6]]}}`,
    messages: ['xPrime: is not used'],
    at: '"xPrime"',
    schemaAccepts: true,
    warning: true,
  },
  // Norms
  {
    text: `{${MULTI}, "qkNorm": {"eps": 1}}`,
    messages: ['qkNorm: found no "kind", expected "rms" or "layer"'],
    at: '"qkNorm"',
  },
  {
    text: `{${MULTI}, "qkNorm": {"kind": "group"}}`,
    messages: ['qkNorm.kind: found the string "group", expected one of "rms", "layer"'],
    at: '"group"',
  },
  {
    text: `{${MULTI}, "qkNorm": {"kind": "rms", "eps": -1}}`,
    messages: ['qkNorm.eps: found the number -1, expected a number from 0'],
    at: '-1',
  },
  {
    text: `{${MULTI.replace('[6]]', '[6]], "gamma_K": [1]')}}`,
    messages: ['weights.gamma_K: found without "qkNorm", whose gains and biases they are'],
    at: '"gamma_K"',
    schemaAccepts: true,
  },
  {
    text: `{${MULTI.replace('[6]]', '[6]], "beta_Q": [1]')}, "qkNorm": {"kind": "rms"}}`,
    messages: ['weights.beta_Q: found with an RMS norm, which has no bias; "layer" has'],
    at: '"beta_Q"',
    schemaAccepts: true,
  },
  // Sinks and null keys
  {
    text: `{${QKV.replace('[6]]', '[6]], "sinks": [1]')}}`,
    messages: ['weights.sinks: found with head "qkv", which has no such step; "multihead" has'],
    at: '"sinks"',
    schemaAccepts: true,
  },
  {
    text: `{${MULTI.replace('[6]]', '[6]], "sinks": [1]')}, "softmax": "plus-one"}`,
    messages: ['softmax: found beside weights.sinks, expected one of the two'],
    at: '"plus-one"',
    schemaAccepts: true,
  },
  {
    text: `{${MULTI.replace('[6]]', '[6]], "null_V": [1]')}}`,
    messages: ['weights.null_V: found without null_K, which belongs to it'],
    at: '"null_V"',
    schemaAccepts: true,
  },
  // Other inputs and layouts
  {
    text: `{${KQ}, "xValue": [[1]]}`,
    messages: ['xValue: found with head "kq", which has no value projection: V is x'],
    at: '"xValue"',
    schemaAccepts: true,
  },
  {
    text: `{${MULTI}, "weightLayout": "transposed"}`,
    messages: ['weightLayout: found the string "transposed", expected one of "in-out", "out-in"'],
    at: '"transposed"',
  },
  {
    text: `{${MULTI}, "fused": "blocks"}`,
    messages: ['fused: is not used: it tells how to read W_QKV'],
    at: '"blocks"',
    schemaAccepts: true,
    warning: true,
  },
  {
    text: `{${QKV}, "grouping": "blocks"}`,
    messages: ['grouping: found with head "qkv", which has no such step; "multihead" has'],
    at: '"blocks"',
    schemaAccepts: true,
  },
  // Gates and temperatures
  {
    text: `{${QKV}, "temperature": {"logN": 1}}`,
    messages: ['temperature.logN: found the number 1, expected a number above 1'],
    at: '1',
  },
  {
    text: `{${QKV}, "temperature": {"floor": 8192}}`,
    messages: [
      'temperature: found other keys, expected {"logN": 512} or {"floor": 8192, "scale": 0.1}',
    ],
    at: '"temperature"',
  },
  {
    text: `{${QKV}, "temperature": 3}`,
    messages: ['temperature: found the number 3, expected {"logN": 512}'],
    at: '3',
  },
  {
    text: `{${MULTI.replace('[6]]', '[6]], "b_gate": [1]')}}`,
    messages: ['weights.b_gate: found without W_gate, to whose output it is added'],
    at: '"b_gate"',
    schemaAccepts: true,
  },
  // Latents and the layer around
  {
    text: `{${MULTI.replace('[6]]', '[6]], "W_KR": [[1], [1]]')}}`,
    messages: ['weights.W_KR: found without W_QR, which it meets'],
    at: '"W_KR"',
    schemaAccepts: true,
  },
  {
    text: `{${MULTI.replace('[6]]', '[6]], "gamma_pre": [1, 2]')}}`,
    messages: [
      'weights.gamma_pre: found without "block": {"preNorm": ...}, whose gain and bias they are',
    ],
    at: '"gamma_pre"',
    schemaAccepts: true,
  },
  {
    text: `{${MULTI.replace('[6]]', '[6]], "lambda_q1": [1], "lambda_k1": [1], "lambda_q2": [1]')}, "differential": {"layer": 0}}`,
    messages: ['weights: found no lambda_k2, expected it with "differential"'],
    at: '"weights"',
    schemaAccepts: true,
  },
  {
    text: `{${MULTI.replace('[6]]', '[6]], "lambda_q1": [1]')}}`,
    messages: [
      'weights.lambda_q1: found without "differential", to whose two softmaxes it belongs',
    ],
    at: '"lambda_q1"',
    schemaAccepts: true,
  },
  {
    text: `{${MULTI}, "differential": {}}`,
    messages: ['differential: found neither, expected "lambdaInit" or the "layer" that tells it'],
    at: '"differential"',
  },
  {
    text: `{${MULTI}, "block": {"preNorm": "batch"}}`,
    messages: ['block.preNorm: found the string "batch", expected one of "rms", "layer"'],
    at: '"batch"',
  },
  {
    text: `{${QKV}, "block": {}}`,
    messages: ['block: found with head "qkv", which has no such step; "multihead" has'],
    at: '"block"',
    schemaAccepts: true,
  },
  // Implementation
  {
    text: `{${KQ}, "source": {"args": []}}`,
    messages: ['source: found no "file", expected the Python program'],
    at: '"source"',
  },
  {
    text: `{${KQ}, "source": {"file": "a.py", "args": "--x"}}`,
    messages: ['source.args: found the string "--x", expected an array'],
    at: '"--x"',
  },
  {
    text: `{${KQ}, "implementation": 3}`,
    messages: ['implementation: found the number 3, expected a module such as "./mine.mjs" or {'],
    at: '3',
  },
  {
    text: `{${KQ}, "implementation": "mine.wasm"}`,
    messages: ['implementation: found the string "mine.wasm", expected a JavaScript or TypeScript'],
    at: '"mine.wasm"',
  },
  {
    text: `{${KQ}, "implementation": {"module": "mine.py"}}`,
    messages: [
      'implementation.module: found the string "mine.py", expected a JavaScript or TypeScript module (.js, .mjs, .cjs, .ts, .mts or .cts); attention_trace.py records',
    ],
    at: '"mine.py"',
  },
  {
    text: `{${KQ}, "implementation": {"timeout": 3}}`,
    messages: ['implementation: found no "module", expected the file that exports forward'],
    at: '"implementation"',
  },
  {
    text: `{${KQ}, "implementation": {"module": "a.js", "timeout": 0}}`,
    messages: ['implementation.timeout: found the number 0, expected a number of seconds above 0'],
    at: '0',
  },
  {
    text: `{${KQ}, "implementation": {"module": "a.js", "timeouts": 1}}`,
    messages: ['implementation.timeouts: found an unknown key, did you mean "timeout"?'],
    at: '"timeouts"',
  },
];

/** Texts that are not JSON, for the parser only. */
export const BROKEN: readonly { text: string; message: string; at: string }[] = [
  { text: '', message: 'found an empty document', at: '' },
  { text: '// nothing', message: 'found an empty document', at: '/' },
  {
    text: '{"x": [[1, NaN]]}',
    message: 'x[0][1]: found NaN, expected a JSON value (write NaN and infinities as "nan"',
    at: 'NaN',
  },
  { text: '{"x": [1 2]}', message: 'x[0]: found 2, expected a comma', at: '2' },
  { text: '{"x": [1, 2}', message: 'x[1]: found }, expected a comma', at: '}' },
  { text: '{"x" [1]}', message: 'x: found [1, expected a colon', at: '[' },
  { text: "{'head': 1}", message: "found 'head':, expected a JSON value", at: "'head'" },
  { text: '{"head": "kq"', message: 'found the end of the text, expected a closing }', at: '' },
  { text: '{"head": "kq\n}', message: 'head: found "kq, expected a closing "', at: '"kq' },
  { text: '{} {}', message: 'found {, expected nothing after the end of the object', at: '{' },
  {
    text: '{} }',
    message: 'found }, which closes nothing: one too many, or an opening bracket is missing',
    at: '}',
  },
];
