// Reads and checks the text of a setup file, *.attention.json; every problem has its place in the text.
import { findNodeAtLocation, type Node } from 'jsonc-parser';
import {
  type AxisOrder,
  type Head,
  type MaskMeaning,
  NUMBER_TYPES,
  WEIGHT_IDS,
} from '../engine/config.ts';
import { suggest } from './didYouMean.ts';
import { parseJson } from './jsonText.ts';
import { isMaskList, maskList } from './maskReader.ts';
import { NODE_IDS } from '../engine/nodes.ts';
import * as options from './optionReaders.ts';
import { tensorSource } from './parseTensor.ts';
import { ropeReader } from './ropeReader.ts';
import { nearestNode, ProblemList, rangeOf } from './setupProblems.ts';
import * as read from './setupReader.ts';
import { checkRules } from './setupRules.ts';
import type {
  Implementation,
  LossFields,
  LossSource,
  MaskName,
  Path,
  Problem,
  ProgramSource,
  Setup,
  SetupFields,
  TensorSource,
} from './setupTypes.ts';
import type { WeightKey } from './weightLayouts.ts';

const HEADS: readonly Head[] = ['kq', 'qkv', 'multihead'];
const MASKS: readonly MaskName[] = ['none', 'causal', 'causal-bottom-right'];
const MEANINGS: readonly MaskMeaning[] = ['attend', 'ignore', 'add'];
/** Of an implementation that says none, in seconds. */
const TIMEOUT = 10;
const AXES: readonly AxisOrder[] = ['query-first', 'key-first'];

/**
 * Comments and trailing commas are allowed. `setup` is null if any problem is an error; files and random
 * numbers are left to `loadSetup`, and how the shapes fit together to the engine. Never throws.
 */
export function parseSetup(text: string): { setup: Setup | null; problems: Problem[] } {
  const parsed = parseJson(text);
  if ('problems' in parsed) return { setup: null, problems: parsed.problems };
  const list = new ProblemList(text, parsed.root);
  const fields = readFields(list, parsed.root);
  if (fields) checkRules(list, parsed.root, fields);
  const setup = fields && !list.hasErrors ? withDefaults(fields) : null;
  return { setup, problems: list.problems };
}

/**
 * The characters of the entry at `path` (array indices as numbers or as text), or of its nearest parent that
 * is in the document. Never throws; an unreadable text gives its first character.
 */
export function locate(text: string, path: Path): { offset: number; length: number } {
  const parsed = parseJson(text);
  return 'root' in parsed
    ? rangeOf(text, nearestNode(parsed.root, path))
    : { offset: 0, length: 1 };
}

function readFields(list: ProblemList, root: Node): SetupFields | undefined {
  const tensor = tensorSource(list);
  const finite = read.number(list, 'a number');
  const text = read.text(list);
  const positive = read.number(list, 'a number above 0', (value) => value > 0);
  const count = read.positiveInteger(list);
  const keys: readonly WeightKey[] = [...WEIGHT_IDS, 'W_QKV', 'b_QKV'];
  const weight = Object.fromEntries(keys.map((id) => [id, tensor])) as Record<
    WeightKey,
    read.Read<TensorSource>
  >;
  return read.object<SetupFields>(list, {
    $schema: text,
    title: text,
    description: text,
    energy: read.boolean(list),
    head: read.oneOf(list, HEADS),
    x: tensor,
    xPrime: tensor,
    xValue: tensor,
    weights: read.object<Setup['weights']>(list, weight),
    heads: count,
    kvHeads: count,
    grouping: read.oneOf(list, ['blocks', 'interleaved'] as const),
    weightLayout: read.oneOf(list, ['in-out', 'out-in'] as const),
    fused: read.oneOf(list, ['blocks', 'per-head'] as const),
    scale: (node, path) =>
      node.type === 'string' ? read.oneOf(list, ['1/sqrt(d)'])(node, path) : finite(node, path),
    softcap: positive,
    mask: (node, path) =>
      node.type === 'string'
        ? read.oneOf(list, MASKS)(node, path)
        : isMaskList(node)
          ? maskList(list, tensor)(node, path)
          : tensor(node, path, 'the name of a mask'),
    maskMeaning: read.oneOf(list, MEANINGS),
    dropout: read.object<NonNullable<SetupFields['dropout']>>(list, {
      p: read.number(list, 'a number from 0 to below 1', (value) => value >= 0 && value < 1),
      keep: tensor,
    }),
    rope: ropeReader(list, tensor),
    qkNorm: options.qkNorm(list),
    positionBias: options.positionBias(list),
    numberType: read.oneOf(list, NUMBER_TYPES),
    softmax: read.oneOf(list, ['usual', 'plus-one'] as const),
    zeroKey: read.boolean(list),
    latentNorm: options.norm(list),
    block: options.block(list),
    differential: options.differential(list),
    temperature: (node, path) => {
      const byPosition = options.temperature(list)(node, path);
      return byPosition === null ? tensor(node, path, '{"logN": 512}') : byPosition;
    },
    window: count,
    alibi: (node, path) => (node.value === true ? true : tensor(node, path, 'true')),
    past: read.object<NonNullable<SetupFields['past']>>(list, { K: tensor, V: tensor }),
    start: read.object<NonNullable<SetupFields['start']>>(list, {
      Q: tensor,
      K: tensor,
      V: tensor,
    }),
    loss: read.object<LossFields>(list, {
      upstream: tensor,
      target: tensor,
      expression: text,
      constants: read.record<number | TensorSource>(
        list,
        (node, path) =>
          node.type === 'number' ? finite(node, path) : tensor(node, path, 'a number'),
        wrongConstant,
      ),
    }),
    names: read.record(list, nodeName(list)),
    axes: read.oneOf(list, AXES),
    implementation: implementation(list),
    source: source(list),
  })(root, []);
}

const MODULE = /\.[cm]?[jt]s$/i;

function implementation(list: ProblemList): read.Read<Partial<Implementation>> {
  const text = read.text(list);
  const module: read.Read<string> = (node, path) => {
    const file = text(node, path);
    if (file === undefined || MODULE.test(file)) return file;
    const python = /\.(?:py|ipynb)$/i.test(file)
      ? '; attention_trace.py records what a Python program computes'
      : '';
    const expected = `a JavaScript or TypeScript module (.js, .mjs, .cjs, .ts, .mts or .cts)${python}`;
    list.error(path, `found ${read.describe(node)}, expected ${expected}`);
    return undefined;
  };
  const fields = read.object<Partial<Implementation>>(list, {
    module,
    timeout: read.number(
      list,
      'a number of seconds above 0, at most 3600',
      (value) => value > 0 && value <= 3600,
    ),
  });
  return (node, path) => {
    if (node.type === 'object') {
      if (!findNodeAtLocation(node, ['module']))
        list.error(path, 'found no "module", expected the file that exports forward and backward');
      return fields(node, path);
    }
    if (node.type === 'string') {
      const file = module(node, path);
      return file === undefined ? undefined : { module: file };
    }
    const expected = 'a module such as "./mine.mjs" or {"module": "./mine.mjs", "timeout": 10}';
    list.error(path, `found ${read.describe(node)}, expected ${expected}`);
    return undefined;
  };
}

function source(list: ProblemList): read.Read<Partial<ProgramSource>> {
  const text = read.text(list);
  const fields = read.object<Partial<ProgramSource>>(list, {
    file: text,
    // "" is the module.
    function: (node, path) => (node.value === '' ? '' : text(node, path)),
    args: read.list(list, (node, path) => (node.value === '' ? '' : text(node, path))),
  });
  return (node, path) => {
    if (node.type === 'object' && !findNodeAtLocation(node, ['file']))
      list.error(path, 'found no "file", expected the Python program whose attention this is');
    return fields(node, path);
  };
}

function nodeName(list: ProblemList): read.Read<string> {
  const names = [...NODE_IDS, ...NODE_IDS.map((id) => `d${id}`)];
  return (node, path) => {
    if (names.includes(node.value as string)) return node.value as string;
    const hint = suggest(String(node.value), names);
    const expected = hint.startsWith('did') ? hint : 'expected a node ("P") or its gradient ("dP")';
    list.error(path, `found ${read.describe(node)}, ${expected}`);
    return undefined;
  };
}

function wrongConstant(name: string): string | undefined {
  if (name === 'y') return 'found "y", expected another name: y is the output';
  return /^[A-Za-z_]\w*$/.test(name) ? undefined : 'found a name that is not letters, digits and _';
}

function withDefaults(fields: SetupFields): Setup {
  const {
    head = 'kq',
    heads = 1,
    loss,
    dropout,
    past,
    implementation: own,
    source: program,
  } = fields;
  const setup = {
    weights: {},
    kvHeads: heads,
    mask: 'none' as const,
    names: {},
    axes: head === 'kq' ? ('key-first' as const) : ('query-first' as const),
    ...fields,
    head,
    heads,
    loss: loss && lossSource(loss),
    // The rules have made sure that both parts of these are there.
    dropout: dropout as Setup['dropout'],
    past: past as Setup['past'],
    implementation: own?.module ? { timeout: TIMEOUT, ...own, module: own.module } : undefined,
    source: program?.file === undefined ? undefined : { ...program, file: program.file },
  };
  delete setup.$schema;
  return setup;
}

function lossSource({ upstream, target, expression = '', constants = {} }: LossFields): LossSource {
  if (upstream) return { kind: 'upstream', upstream };
  if (target) return { kind: 'target', target };
  return { kind: 'expression', expression, constants };
}
