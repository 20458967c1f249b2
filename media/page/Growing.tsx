// A large setup while it is computed: its graph at once, each node's numbers as soon as they are there.
import type { JSX } from 'preact';
import { useRef, useState } from 'preact/hooks';
import type { NodeState } from '../../src/stepper/stepView.ts';
import { MathML } from '../formula/MathML.tsx';
import { Card } from '../graph/Card.tsx';
import { flows } from '../graph/flow.ts';
import { GraphArea } from '../graph/Graph.tsx';
import type { Box } from '../graph/layout.ts';
import { WholeGraph } from '../graph/WholeGraph.tsx';
import { Name } from '../names.tsx';
import { shapeText } from '../matrix/cells.ts';
import { type Growing as Grown, computing } from '../state.ts';
import { Computing } from './Computing.tsx';
import { GraphSplitter } from './GraphSplitter.tsx';
import { graphShares } from './room.ts';

type Node = Grown['outline']['nodes'][number];

/** What is known of a node before its numbers are. */
function About({ node }: { readonly node: Node }): JSX.Element {
  const axes = node.axes.map((axis, n) => `${axis}: ${node.shape[n]}`).join(' × ');
  return (
    <section class="step" aria-label="This node">
      {node.formula && (
        <div class="formula">
          <MathML node={node.formula} />
        </div>
      )}
      <h2>
        <Name id={node.id} /> {shapeText(node.shape)}
      </h2>
      <p>{node.summary}</p>
      <p class="muted">{axes || 'a scalar'}</p>
    </section>
  );
}

export function Growing({ outline, pictures }: Grown): JSX.Element {
  const main = useRef<HTMLElement>(null);
  const [chosen, choose] = useState<string | null>(null);
  const { phase = 'forward', node: current = null } = computing.value?.part ?? {};
  const stateOf = ({ id }: Node): NodeState => {
    const gradient = pictures[`${id} gradient`] ?? null;
    const isThere = `${id} value` in pictures;
    const status = id === current ? 'current' : isThere ? 'computed' : 'waiting';
    const users = outline.nodes.flatMap((user) => user.inputs.map((to) => ({ user, to })));
    const ways = users.filter(({ to }) => to === id);
    const received = ways.filter(
      ({ user }) => user.id !== current && `${user.id} gradient` in pictures,
    );
    return { status, received: received.length, expected: ways.length, gradient };
  };
  const states = Object.fromEntries(outline.nodes.map((node) => [node.id, stateOf(node)]));
  const card = (place: Box, scale: number): JSX.Element | null => {
    const node = outline.nodes.find(({ id }) => id === place.id);
    if (!node) return null;
    return (
      <Card
        key={node.id}
        {...{ box: place, node, state: states[node.id], scale }}
        value={pictures[`${node.id} value`] ?? null}
        {...{ ranges: null, receives: false, breakpoint: null, extents: outline.extents }}
        {...{ valueMarks: [], gradientMarks: [] }}
        onChoose={() => choose(node.id)}
      />
    );
  };
  const node = outline.nodes.find(({ id }) => id === (chosen ?? current));
  return (
    <div class={`page ${phase}`}>
      <div class="bars">
        <Computing alone={false} />
      </div>
      <main class="main" ref={main} style={graphShares.value}>
        <section class="picture" aria-label="Graph">
          <div class="picture-head">
            <h2 class="run-title">{outline.title}</h2>
            {outline.description && <p class="run-description">{outline.description}</p>}
            <WholeGraph />
          </div>
          <GraphArea
            nodes={outline.nodes}
            flow={flows(outline.nodes, { nodes: states, edges: [] })}
            phase={phase}
            target={chosen ?? current}
            card={card}
          />
        </section>
        <GraphSplitter main={() => main.current} />
        {node ? <About node={node} /> : <section class="step" />}
      </main>
    </div>
  );
}
