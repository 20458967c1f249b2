// The test as a Python file: inputs and the reference's numbers stand in an .npz beside it.
import type { Tensor } from '../../engine/tensor.ts';
import { writeNpz } from '../../formats/npz.ts';
import type { Inputs } from './build.ts';
import type { Given, Plan } from './types.ts';

export interface WrittenTest {
  /** The text of the .py file. */
  readonly text: string;
  /** The bytes of the .npz file that it reads. */
  readonly npz: Uint8Array;
}

export interface Module {
  /** "attention_np": the program's name without .py. */
  readonly name: string;
  /** Its folder, relative to the test's. */
  readonly folder: string;
  readonly args: readonly string[];
  /** The name of the .npz file. */
  readonly npz: string;
}

/** Relative to the largest entry. */
const TOLERANCE: Readonly<Record<string, number>> = {
  float64: 1e-9,
  float32: 2e-4,
  float16: 2e-2,
  bfloat16: 1e-1,
};

const quoted = (text: string): string => JSON.stringify(text);

export function writtenTest(plan: Plan, inputs: Inputs, module: Module): WrittenTest {
  const tensors: Record<string, Tensor> = {};
  const stored = (key: string, tensor: Tensor): string => {
    tensors[key] = tensor;
    return `DATA[${quoted(key)}]`;
  };
  const { gradients, upstream } = inputs;
  const needsGrad = new Set(gradients.map(({ name }) => name));
  const lines = [
    ...plan.imports.map((name) => `${name} = module.${name}`),
    ...givenLines(plan, inputs, needsGrad, stored),
    ...plan.making.flatMap((text) => text.split('\n')),
    ...attributeLines(plan, inputs, stored),
    ...plan.calls.flatMap((call) => call.split('\n')),
    ...inputs.outcomes.map(({ name, tensor, of }) => {
      const types = plan.given.map(({ event }) => event.dtype);
      return `check(${quoted(name)}, ${name}, ${stored(`${name} is ${of}`, tensor)}, ${toleranceOf(types)})`;
    }),
    ...(upstream
      ? [
          `(${upstream.name} * like(${upstream.name}, ${stored('dy', upstream.tensor)})).sum().backward()`,
        ]
      : []),
    ...(upstream ? gradients : []).map(({ name, tensor, of }) => {
      const types = plan.given.map(({ event }) => event.dtype);
      return `check(${quoted(`${name}.grad`)}, ${name}.grad, ${stored(`${name}.grad is ${of}`, tensor)}, ${toleranceOf(types)})`;
    }),
  ];
  const text = `${head(plan, inputs, module)}
def test_${module.name.replaceAll(/\W/g, '_')}():
    module = importlib.import_module(${quoted(module.name)})
${lines.map((line) => (line === '' ? '' : `    ${line}`)).join('\n')}


if __name__ == "__main__":
    test_${module.name.replaceAll(/\W/g, '_')}()
    print("all right")
`;
  return { text, npz: writeNpz(tensors) };
}

const toleranceOf = (types: readonly string[]): string =>
  Math.max(...types.map((type) => TOLERANCE[type] ?? 0), 1e-9).toExponential();

function head({ isTorch, given }: Plan, { sizes }: Inputs, { folder, args, npz }: Module): string {
  const hasSpace = given.some(({ name, isAttribute }) => !isAttribute && /^\w+\./.test(name));
  return `"""Inputs of which all sizes differ, and what a right attention makes of them: ${sizes}.

Written by the Attention Gradient Debugger; python3 runs it, and pytest.
"""
import importlib
import os
import sys
${hasSpace ? 'from types import SimpleNamespace\n' : ''}
import numpy as np
${isTorch ? 'import torch\n' : ''}
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ${quoted(folder)}))
sys.argv = [sys.argv[0]${args.map((arg) => `, ${quoted(arg)}`).join('')}]
DATA = np.load(os.path.join(HERE, ${quoted(npz)}))


def check(name, found, expected, tolerance):
    found = ${isTorch ? 'found.detach().double().cpu().numpy() if torch.is_tensor(found) else np.asarray(found)' : 'np.asarray(found)'}
    assert found.shape == expected.shape, f"{name}: shape {found.shape}, expected {expected.shape}"
    off = np.abs(found - expected)
    size = max(np.abs(expected).max(), 1e-3)
    worst = tuple(int(n) for n in np.unravel_index(off.argmax(), off.shape))
    assert off.max() <= tolerance * size, (
        f"{name}: {found[worst]} at {worst}, expected {expected[worst]}"
    )

${
  isTorch
    ? `
def like(other, data):
    return torch.as_tensor(data).to(other.dtype)

`
    : ''
}`;
}

function givenLines(
  { given, isTorch }: Plan,
  { tensors, numbers }: Inputs,
  needsGrad: ReadonlySet<string>,
  stored: (key: string, tensor: Tensor) => string,
): string[] {
  const containers = new Set<string>();
  return given.flatMap((each) => {
    const { name, isGlobal, isAttribute } = each;
    if (isAttribute) return [];
    const tensor = tensors.get(name);
    const isList = /\[\d+\]$/.test(name);
    // What the module has already is left to it.
    if (isGlobal && !tensor && !numbers.has(name)) return [];
    const value = tensor
      ? asPython(each, stored(name, tensor), isTorch, needsGrad.has(name))
      : numberOf(each, numbers);
    if (isGlobal) return [`module.${name} = ${value}`];
    const root = name.split(/[.[]/, 1)[0];
    const before = root === name || containers.has(root) ? [] : [`${root} = ${emptyOf(name)}`];
    containers.add(root);
    return [...before, isList ? `${root}.append(${value})` : `${name} = ${value}`];
  });
}

/** Weights of the objects that were made. */
function attributeLines(
  { given, isTorch }: Plan,
  { tensors }: Inputs,
  stored: (key: string, tensor: Tensor) => string,
): string[] {
  return given.flatMap((each) => {
    const { name, event, isAttribute } = each;
    const tensor = isAttribute ? tensors.get(name) : undefined;
    if (!tensor) return [];
    const value = asPython(each, stored(name, tensor), isTorch, false);
    return [event.how === 'leaf' ? `${name}.data = ${value}` : `${name} = ${value}`];
  });
}

const emptyOf = (name: string): string =>
  /\[\d+\]$/.test(name) ? '[]' : name.includes('[') ? '{}' : 'SimpleNamespace()';

function numberOf({ name, event }: Given, numbers: ReadonlyMap<string, number>): string {
  const value = numbers.get(name) ?? event.value ?? 0;
  return event.dtype === 'bool' ? (value ? 'True' : 'False') : String(value);
}

function asPython(
  { event: { dtype } }: Given,
  data: string,
  isTorch: boolean,
  needsGrad: boolean,
): string {
  if (!isTorch) return dtype === 'float64' ? data : `${data}.astype(${quoted(dtype)})`;
  const plain = `torch.tensor(${data}, dtype=torch.${dtype})`;
  return needsGrad ? `${plain}.requires_grad_()` : plain;
}
