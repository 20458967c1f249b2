// Turns a checked setup into what the engine computes: reads files, makes random numbers, settles defaults.
import {
  type HeadConfig,
  type Loss,
  type Mask,
  type MaskMeaning,
  type MaskPart,
  MAX_NODE_ENTRIES,
} from '../engine/config.ts';
import { scalar, type Tensor } from '../engine/tensor.ts';
import { anyOf, suggest } from './didYouMean.ts';
import { oneLine } from './shown.ts';
import { MAX_ENTRIES } from './limits.ts';
import { tensorsOf } from './maskReader.ts';
import type { NamedTensor } from './namedTensor.ts';
import { resolveName } from './nodeNames.ts';
import type { Joined, JoinOptions } from './parts.ts';
import { randomTensor } from './random.ts';
import { type OpenedFile, openTensorFile } from './readTensors.ts';
import { type Bytes, hasParts, readPartsOf } from './readTrace.ts';
import { inEntry } from './setupProblems.ts';
import {
  type LossSource,
  type Path,
  type PathProblem,
  PLAIN_OPTIONS,
  type Setup,
  type TensorSource,
} from './setupTypes.ts';
import type { Want } from './want.ts';
import { headsSideBySide, startSideBySide } from './headLayouts.ts';
import { type GivenWeights, settleWeights } from './weightLayouts.ts';

/** A file; `path` is as in the setup, relative to it or absolute. Rejects if there is none. */
export type ReadFile = (path: string) => Promise<Bytes>;

type Loaded = Omit<NamedTensor, 'name'>;
type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * `config` is null if any problem is an error. Of every file only what is asked for is read; where NAME.npz is not there, its parts
 * NAME.rank0.npz, ... are. Never rejects.
 */
export async function loadSetup(
  setup: Setup,
  readFile: ReadFile,
): Promise<{ config: HeadConfig | null; problems: PathProblem[] }> {
  const loader = new Loader(readFile, {
    resolve: (name, rank) => resolveName(name, setup.names, rank),
  });
  const { head, heads, kvHeads, axes } = setup;
  const plain = PLAIN_OPTIONS.filter((option) => setup[option] !== undefined);
  const config: Mutable<HeadConfig> = {
    ...{ head, heads, kvHeads, axes, mask: 'none', loss: { kind: 'half-squared-norm' } },
    ...{ weights: {} },
    ...(await loader.all({ x: setup.x, xPrime: setup.xPrime, xValue: setup.xValue }, [])),
    ...Object.fromEntries(plain.map((option) => [option, setup[option]])),
  };
  config.weights = settled(loader, setup, config, await loader.all(setup.weights, ['weights']));
  Object.assign(config, await loadMasks(loader, setup));
  if (setup.rope) {
    const { invFreq, positions, queryPositions, ...rope } = setup.rope;
    const tensors = await loader.all({ invFreq, positions, queryPositions }, ['rope']);
    config.rope = { ...rope, ...tensors };
  }
  if (setup.dropout) {
    const keep = await loader.tensor(setup.dropout.keep, ['dropout', 'keep']);
    if (keep) config.dropout = { p: setup.dropout.p, keep };
  }
  if (setup.alibi) {
    config.alibi = setup.alibi === true ? true : await loader.tensor(setup.alibi, ['alibi']);
  }
  const { temperature } = setup;
  if (temperature) {
    config.temperature =
      'kind' in temperature ? await loader.tensor(temperature, ['temperature']) : temperature;
  }
  if (setup.past) {
    const { K, V } = await loader.all<'K' | 'V'>(setup.past, ['past']);
    if (K && V) config.past = { K, V };
  }
  if (setup.start) {
    const start = await loader.all<'Q' | 'K' | 'V'>(setup.start, ['start']);
    config.start = startSideBySide(start, setup.heads, setup.kvHeads);
  }
  if (config.past) config.past = overBatch(config.past, config);
  if (setup.loss) config.loss = (await loadLoss(loader, setup.loss, setup.heads)) ?? config.loss;
  const { problems } = loader;
  return {
    config: problems.some(({ severity }) => severity === 'error') ? null : config,
    problems,
  };
}

/** Weights as they are given, made (in, out). */
function settled(
  loader: Loader,
  { heads, kvHeads, weightLayout, fused, differential }: Setup,
  { x, xPrime, xValue }: Pick<HeadConfig, 'x' | 'xPrime' | 'xValue'>,
  weights: GivenWeights,
): HeadConfig['weights'] {
  const width = (own: Tensor | undefined): number | undefined => own?.shape.at(-1);
  // Of latents the width is not known.
  const features = {
    K: weights.W_DKV ? undefined : width(x),
    Q: weights.W_DQ ? undefined : width(xPrime ?? x),
    V: weights.W_DKV ? undefined : width(xValue ?? x),
  };
  const own = { heads, kvHeads, isPaired: differential !== undefined };
  const context = { ...own, features, layout: weightLayout, fused };
  return settleWeights(weights, context, (severity, key, message) =>
    loader.report(severity, ['weights', key], message),
  );
}

/** Earlier tokens without a batch axis are the same for every batch entry. */
function overBatch(
  past: NonNullable<HeadConfig['past']>,
  { x, start }: Pick<HeadConfig, 'x' | 'start'>,
): NonNullable<HeadConfig['past']> {
  const tokens = (x ?? start?.K ?? start?.V ?? start?.Q)?.shape ?? [];
  if (tokens.length !== 3) return past;
  const [batch] = tokens;
  const spread = (own: Tensor): Tensor => {
    const { length } = own.shape;
    if (length !== 3 && !(length === 4 && own.shape[0] === 1)) return own;
    const data = new Float64Array(batch * own.data.length);
    for (let b = 0; b < batch; b++) data.set(own.data, b * own.data.length);
    return { shape: [batch, ...own.shape.slice(-3)], data };
  };
  return { K: spread(past.K), V: spread(past.V) };
}

class Loader {
  readonly problems: PathProblem[] = [];
  readonly #readFile: ReadFile;
  readonly #joining: JoinOptions;
  readonly #files = new Map<string, Promise<OpenedFile>>();
  /** Of files, together. */
  #entries = 0;

  constructor(readFile: ReadFile, joining: JoinOptions) {
    this.#readFile = readFile;
    this.#joining = joining;
  }

  report(severity: PathProblem['severity'], path: Path, message: string): void {
    this.problems.push({ message: inEntry(path, message), path, severity });
  }

  /** The tensor and its number type, or undefined after reporting why there is none. */
  async load(source: TensorSource, path: Path): Promise<Loaded | undefined> {
    if (source.kind === 'inline') return source;
    try {
      if (source.kind === 'random') return { dtype: 'float64', tensor: randomTensor(source.spec) };
      return await this.#fromFile(source, path);
    } catch (error) {
      this.report('error', path, oneLine(error instanceof Error ? error.message : String(error)));
      return undefined;
    }
  }

  async tensor(source: TensorSource, path: Path): Promise<Tensor | undefined> {
    return (await this.load(source, path))?.tensor;
  }

  /** Those of the sources that are given and readable. */
  async all<Key extends string>(
    sources: Readonly<Partial<Record<Key, TensorSource>>>,
    path: Path,
  ): Promise<Partial<Record<Key, Tensor>>> {
    const tensors: Partial<Record<Key, Tensor>> = {};
    for (const key of Object.keys(sources) as Key[]) {
      const source = sources[key];
      const tensor = source && (await this.tensor(source, [...path, key]));
      if (tensor) tensors[key] = tensor;
    }
    return tensors;
  }

  async #fromFile(source: FileSource, path: Path): Promise<Loaded | undefined> {
    const { file, key } = source;
    const opening = this.#files.get(file) ?? this.#open(file);
    this.#files.set(file, opening);
    const opened = await opening;
    const { names } = opened;
    // Without a key, several tensors are a mistake that their headers tell.
    const isOne = names?.length === 1;
    const why = (name: string): string =>
      (key === undefined ? names === null || isOne : name === key) ? '' : OTHER;
    const most = Math.min(MAX_NODE_ENTRIES, MAX_ENTRIES - this.#entries);
    const only = key === undefined ? {} : { only: key };
    return this.#pick(await opened.read({ most, why, ...only }), names, source, path);
  }

  async #open(file: string): Promise<OpenedFile> {
    let from: Bytes;
    try {
      from = await this.#readFile(file);
    } catch (error) {
      const folder = { read: this.#readFile, label: (name: string) => name };
      if (await hasParts(folder, file)) {
        const read = async (want: Want): Promise<Joined> =>
          (await readPartsOf(folder, file, { ...this.#joining, want }))!;
        return { names: null, read };
      }
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(`cannot read ${file}: ${reason}`, { cause: error });
    }
    return openTensorFile(file, from);
  }

  #pick(
    { tensors, leftOut }: Joined,
    inOrder: readonly string[] | null,
    { file, key }: FileSource,
    path: Path,
  ): Loaded | undefined {
    const others = leftOut.map(({ name }) => name);
    const names = inOrder ?? [...tensors.map(({ name }) => name), ...others];
    const found =
      key === undefined && names.length === 1
        ? tensors[0]
        : tensors.find(({ name }) => name === key);
    if (found) {
      this.#entries += found.tensor.data.length;
      return found;
    }
    const without = leftOut.find(({ name, reason }) => reason !== OTHER && (key ?? name) === name);
    if (without) {
      this.report('error', [...path, 'key'], `in ${file}, ${without.name}: ${without.reason}`);
      return undefined;
    }
    const hint = key === undefined ? `expected ${anyOf(names)}` : suggest(key, names);
    if (names.length === 0) this.report('error', path, `found no tensors in ${file}`);
    else if (key === undefined) {
      this.report(
        'error',
        path,
        `found no key for ${file}, which has ${names.length} tensors; ${hint}`,
      );
    } else
      this.report('error', [...path, 'key'], `found no ${JSON.stringify(key)} in ${file}, ${hint}`);
    return undefined;
  }
}

type FileSource = TensorSource & { readonly kind: 'file' };

/** Why a tensor that was not asked for is not read. */
const OTHER = 'another was asked for';

/** Of a list the causal mask, else the first given one, is `mask`, and the others are `masks`. */
async function loadMasks(
  loader: Loader,
  { mask, maskMeaning }: Setup,
): Promise<Pick<HeadConfig, 'mask' | 'masks'>> {
  if (typeof mask === 'string') return { mask };
  if ('kind' in mask)
    return { mask: await loadMask(loader, mask, maskMeaning, ['mask'], ['maskMeaning']) };
  const causal = mask.find((part) => typeof part === 'string');
  const masks: MaskPart[] = [];
  let first: Mask = causal ?? 'none';
  for (const [at, part] of mask.entries()) {
    if (typeof part === 'string') continue;
    const path = ['mask', at];
    if (part.kind === 'given') {
      const [own, meaning] = ['tensor', 'meaning'].map((key) => [...path, key]);
      const given = await loadMask(loader, part.tensor, part.meaning, own, meaning);
      if (typeof given === 'string') continue;
      if (first === 'none') first = given;
      else masks.push({ kind: 'given', at, ...given });
      continue;
    }
    const tensors = await loader.all(tensorsOf(part), path);
    const length = part.kind === 'prefix' && typeof part.length === 'number' ? part.length : null;
    masks.push({
      ...part,
      at,
      ...tensors,
      ...(length !== null && { length: scalar(length) }),
    } as MaskPart);
  }
  return { mask: first, ...(masks.length > 0 && { masks }) };
}

/** A boolean mask tells who attends, a mask of numbers is added, unless its meaning is said. */
async function loadMask(
  loader: Loader,
  source: TensorSource,
  maskMeaning: MaskMeaning | undefined,
  own: Path,
  ofMeaning: Path,
): Promise<Mask> {
  const loaded = await loader.load(source, own);
  if (!loaded) return 'none';
  const { tensor, dtype } = loaded;
  const meaning = maskMeaning ?? (dtype === 'bool' ? 'attend' : 'add');
  const isBinary = tensor.data.every((value) => value === 0 || value === 1);
  const path = maskMeaning === undefined ? own : ofMeaning;
  if (meaning === 'add' && isBinary && tensor.data.includes(1)) {
    const how = maskMeaning === undefined ? 'and no maskMeaning' : `of dtype ${dtype}`;
    loader.report(
      'warning',
      path,
      `found only 0 and 1 ${how}: they are ADDED to the logits and hide nothing`,
    );
  } else if (meaning !== 'add' && !isBinary) {
    loader.report(
      'warning',
      path,
      `found "${meaning}" with values other than 0 and 1: all but 0 count as true`,
    );
  }
  return { tensor, meaning };
}

async function loadLoss(
  loader: Loader,
  loss: LossSource,
  heads: number,
): Promise<Loss | undefined> {
  if (loss.kind === 'upstream') {
    const G = await loader.tensor(loss.upstream, ['loss', 'upstream']);
    return G && { kind: 'upstream', G: headsSideBySide(G, heads) };
  }
  if (loss.kind === 'target') {
    const T = await loader.tensor(loss.target, ['loss', 'target']);
    return T && { kind: 'target', T: headsSideBySide(T, heads) };
  }
  const constants: [string, Tensor][] = [];
  for (const [name, source] of Object.entries(loss.constants)) {
    const path = ['loss', 'constants', name];
    const value = typeof source === 'number' ? scalar(source) : await loader.tensor(source, path);
    if (value) constants.push([name, value]);
  }
  return {
    kind: 'expression',
    expression: loss.expression,
    constants: Object.fromEntries(constants),
  };
}
