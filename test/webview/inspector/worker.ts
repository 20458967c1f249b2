// The host's side in a worker, as the extension host is another process: the real models behind postMessage.
import { buildGraph } from '../../../src/engine/heads/build.ts';
import { run } from '../../../src/engine/run.ts';
import { tensor } from '../../../src/engine/tensor.ts';
import { Desk } from '../../../src/extension/inspector/desk.ts';
import { WalkModel } from '../../../src/extension/inspector/walkModel.ts';
import { FileModel } from '../../../src/extension/tensorFile/fileModel.ts';
import { inMemory } from '../../../src/formats/ranges/byteSource.ts';
import { listTensors } from '../../../src/formats/ranges/listTensors.ts';
import type { Versioned } from '../../../src/inspect/answers.ts';
import type { FromInspector, InspectorState, ToInspector } from '../../../src/inspect/messages.ts';
import { fromTensor, type TensorSource } from '../../../src/inspect/source.ts';
import type { Move } from '../../../src/stepper/cursor.ts';
import { Session } from '../../../src/stepper/session.ts';
import { examples } from '../examples.ts';

/** What a test tells the worker: to open something, or to step the walk. */
export type Control =
  | { readonly control: 'open'; readonly what: string; readonly bytes?: ArrayBuffer }
  | { readonly control: 'move'; readonly move: Move };

interface Model {
  state(): InspectorState;
  find(id: string): Versioned | null;
  receive(message: FromInspector): boolean;
}

const post = (message: ToInspector): void =>
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker's, not the window's
  (self as unknown as { postMessage(m: unknown): void }).postMessage(message);

/** One tensor that exists nowhere but in a formula: as large as one likes. */
function oneTensor(name: string, source: TensorSource): Model {
  let index: readonly number[] = source.shape.map(() => 0);
  return {
    find: () => ({ version: 1, source }),
    receive: (message) => {
      if (message.type === 'select') index = message.index;
      return message.type === 'select';
    },
    state: () => ({
      ...{
        empty: null,
        walk: null,
        file: null,
        against: null,
        comparable: [],
        pins: [],
        problem: null,
        selected: index,
      },
      shown: {
        id: name,
        version: 1,
        name,
        note: 'value',
        axes: source.shape.map((length, n) => ({ name: `axis ${n}`, length })),
        dtype: source.dtype,
      },
    }),
  };
}

function formula(rows: number, cols: number): TensorSource {
  const read = (offset: number, length: number): Float64Array => {
    const data = new Float64Array(length);
    for (let n = 0; n < length; n++) {
      const [row, col] = [Math.floor((offset + n) / cols), (offset + n) % cols];
      data[n] =
        Math.sin(row / 97) * Math.cos(col / 61) +
        (((row * 7919 + col * 104_729) % 1000) / 1000 - 0.5) * 0.4;
    }
    return data;
  };
  return {
    shape: [rows, cols],
    strides: [cols, 1],
    dtype: 'float32',
    entries: { size: rows * cols, read },
  };
}

async function open(
  what: string,
  bytes?: ArrayBuffer,
): Promise<{ model: Model; session: Session | null }> {
  const [kind, detail = ''] = what.split(':');
  if (kind === 'formula') {
    const [rows, cols] = detail.split('x').map(Number);
    return { model: oneTensor('big', formula(rows, cols)), session: null };
  }
  if (kind === 'stored') {
    const [rows, cols] = detail.split('x').map(Number);
    const data = formula(rows, cols).entries.read(0, rows * cols) as Float64Array;
    return { model: oneTensor('big', fromTensor({ shape: [rows, cols], data })), session: null };
  }
  if (kind === 'numbers') {
    const nested = JSON.parse(detail.replace(/nan|inf|-inf/g, '"$&"')) as (number | string)[][];
    const data = nested
      .flat()
      .map((each) => (typeof each === 'number' ? each : Number(each.replace('inf', 'Infinity'))));
    return {
      model: oneTensor('t', fromTensor(tensor([nested.length, nested[0].length], data))),
      session: null,
    };
  }
  if (kind === 'file') {
    const model = new FileModel({
      name: detail,
      prefix: 'file1',
      changed: () => refresh(),
      progress: (id, done) => desk?.progress(id, done),
    });
    const source = inMemory(new Uint8Array(bytes ?? new ArrayBuffer(0)));
    try {
      model.load(await listTensors(source, detail), source.size);
    } catch (error) {
      model.fail((error as Error).message);
    }
    return { model, session: null };
  }
  const model = new WalkModel((binding) => {
    session?.select(binding);
    follow();
  });
  if (kind === 'none') return { model, session: null };
  const { config, title, description, energy } = examples[kind]();
  return { model, session: new Session(run(buildGraph(config)), { title, description, energy }) };
}

let model: Model | null = null;
let session: Session | null = null;
let desk: Desk | null = null;
let isReady = false;

const refresh = (): void => {
  if (isReady && model) post({ type: 'state', state: model.state() });
};
const follow = (): void => {
  if (model instanceof WalkModel) model.follow(session);
  refresh();
};

async function receive(message: FromInspector | Control): Promise<void> {
  if ('control' in message) {
    if (message.control === 'move') session?.move(message.move);
    else {
      ({ model, session } = await open(message.what, message.bytes));
      const opened = model;
      desk = new Desk({ find: (id) => opened.find(id), nameOf: (id) => id, post });
    }
    follow();
    return;
  }
  if (message.type === 'ready') {
    isReady = true;
    refresh();
  } else if (!desk?.receive(message) && model?.receive(message)) refresh();
}

self.addEventListener(
  'message',
  ({ data }: MessageEvent<FromInspector | Control>) => void receive(data),
);
