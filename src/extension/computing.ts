// What the page is told while a run is being computed: the graph, how large it is, how far, and what is there by then.
import type { Graph } from '../engine/graph.ts';
import { sizeOf } from '../engine/tensor.ts';
import type { ToWebview } from '../protocol.ts';
import { type Drawn, outline, type Outline } from '../stepper/outline.ts';
import type { Told } from './compare/inWorker.ts';

type ComputingMessage = Extract<ToWebview, { readonly type: 'computing' }>;

/** "gpt2-heads, 12 × 512 × 512": the largest tensor says how large a setup is. */
function nameWithSize(name: string, graph: Graph | null): string {
  const shapes = graph?.nodes.map(({ shape }) => shape) ?? [];
  const largest = shapes.reduce((a, b) => (sizeOf(b) > sizeOf(a) ? b : a), []);
  return largest.length > 0 ? `${name}, ${largest.join(' × ')}` : name;
}

export class Progress {
  readonly #what: string;
  readonly #outline: Outline | null;
  readonly #drawn: Drawn[] = [];
  #part: Told['part'] | null = null;

  /** `about` is given where the page has no picture yet, and is to show the graph as it fills. */
  constructor(
    name: string,
    graph: Graph | null,
    about: Pick<Outline, 'title' | 'description'> | null = null,
  ) {
    this.#what = nameWithSize(name, graph);
    this.#outline = graph && about && outline(graph, about);
  }

  /** The news for a page that has heard all before. */
  tell({ part, drawn }: Told): ComputingMessage {
    this.#part = part;
    if (!this.#outline) return this.#message();
    this.#drawn.push(...drawn);
    return { ...this.#message(), drawn };
  }

  /** All of it, for a page that has heard nothing. */
  get all(): ComputingMessage {
    const graph = this.#outline && { outline: this.#outline, drawn: this.#drawn };
    return { ...this.#message(), ...graph };
  }

  #message(): ComputingMessage {
    const part = this.#part;
    return {
      type: 'computing',
      what: this.#what,
      part: part && { phase: part.phase, node: part.node },
      share: part ? part.done / part.of : 0,
    };
  }
}
