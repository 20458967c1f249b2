// From a recording and a setup to which line is wrong.
import type { HeadConfig } from '../engine/config.ts';
import type { Graph } from '../engine/graph.ts';
import {
  BFLOAT16,
  FLOAT16,
  FLOAT32,
  FLOAT64,
  type NumberType,
} from '../compare/reference/dtypes.ts';
import { buildCatalogue, type Catalogue } from './align/catalogue.ts';
import { Contents } from './align/contents.ts';
import { type Localised, localise } from './localise/localise.ts';
import type { Content } from './align/observe.ts';
import type { Recording } from './recorded/recording.ts';

export interface Judged {
  readonly catalogue: Catalogue;
  readonly localised: Localised;
}

const TYPES = [BFLOAT16, FLOAT16, FLOAT32, FLOAT64];
/** A type of fewer of the tensors tells nothing of the rest. */
const SHARE = 0.02;
const FEW = 2;

/** The narrowest number type in which a good part of the tensors was computed. */
function typeOfRecording({ events }: Recording): NumberType {
  const counts = new Map<string, number>();
  let all = 0;
  for (const { dtype, shape } of events) {
    if (shape.length === 0 || !TYPES.some(({ name }) => name === dtype)) continue;
    counts.set(dtype, (counts.get(dtype) ?? 0) + 1);
    all++;
  }
  return TYPES.find(({ name }) => (counts.get(name) ?? 0) >= Math.max(FEW, SHARE * all)) ?? FLOAT64;
}

const judges = new WeakMap<HeadConfig, { readonly graph: Graph; readonly judge: Judge }>();

type Judge = (recording: Recording) => Judged;

/** What was found out for one run of a setup is there for the next one. */
export function judge(recording: Recording, config: HeadConfig, graph: Graph): Judged {
  return judging(config, graph)(recording);
}

/** Judges several runs of programs that are to compute the same. */
export function judging(config: HeadConfig, graph: Graph): Judge {
  const before = judges.get(config);
  if (before?.graph === graph) return before.judge;
  const own = newJudge(config, graph);
  judges.set(config, { graph, judge: own });
  return own;
}

function newJudge(config: HeadConfig, graph: Graph): Judge {
  const catalogues = new Map<
    NumberType,
    { readonly own: Catalogue; readonly known: Contents<Content> }
  >();
  return (recording) => {
    const type = typeOfRecording(recording);
    const { own, known } = catalogues.get(type) ?? {
      own: buildCatalogue(config, graph, type),
      known: new Contents<Content>(),
    };
    catalogues.set(type, { own, known });
    // The tiles of one run are no forms of the next one.
    const catalogue = { ...own, entries: [...own.entries] };
    return { catalogue, localised: localise(recording, catalogue, known) };
  };
}
