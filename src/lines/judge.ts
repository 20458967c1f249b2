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
import { buildCatalogue, type Catalogue } from './catalogue.ts';
import { type Localised, localise } from './localise.ts';
import type { Recording } from './recording.ts';

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

export function judge(recording: Recording, config: HeadConfig, graph: Graph): Judged {
  return judging(config, graph)(recording);
}

/** Judges several runs of programs that are to compute the same. */
export function judging(config: HeadConfig, graph: Graph): (recording: Recording) => Judged {
  const catalogues = new Map<NumberType, Catalogue>();
  return (recording) => {
    const type = typeOfRecording(recording);
    const catalogue = catalogues.get(type) ?? buildCatalogue(config, graph, type);
    catalogues.set(type, catalogue);
    return { catalogue, localised: localise(recording, catalogue) };
  };
}
