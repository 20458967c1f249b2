// The panel: header, graph, this step, equations.
import type { JSX } from 'preact';
import { useRef } from 'preact/hooks';
import { Equations } from '../formula/Equations.tsx';
import { Graph } from '../graph/Graph.tsx';
import { Comparison } from '../compare/Comparison.tsx';
import { HeadControl } from '../graph/HeadControl.tsx';
import { Legend } from '../graph/Legend.tsx';
import { WholeGraph } from '../graph/WholeGraph.tsx';
import { computing, empty, growing, problems, shown, type Shown } from '../state.ts';
import { StepPanel } from '../step/StepPanel.tsx';
import { Header } from '../toolbar/Header.tsx';
import { Computing } from './Computing.tsx';
import { EmptyState } from './EmptyState.tsx';
import { Growing } from './Growing.tsx';
import { Notices, Problems } from './Notices.tsx';
import { GraphSplitter } from './GraphSplitter.tsx';
import { graphShares } from './room.ts';

export function App(): JSX.Element {
  const now = shown.value;
  if (now) return <Panel {...now} />;
  return (
    <>
      <Problems messages={problems.value} stale={false} />
      {empty.value && !computing.value ? <EmptyState {...empty.value} /> : <Beginning />}
    </>
  );
}

/** Before the first picture. */
const Beginning = (): JSX.Element =>
  growing.value ? <Growing {...growing.value} /> : <Computing alone />;

function Panel(now: Shown): JSX.Element {
  const { run, step } = now;
  const main = useRef<HTMLElement>(null);
  return (
    <div class={`page ${step.phase}`}>
      <Header {...now} />
      <div class="bars">
        <Computing alone={false} />
        <Problems messages={problems.value} stale />
        <Notices messages={run.notices} nodes={run.nodes} />
        <Comparison />
      </div>
      <main class="main" ref={main} style={graphShares.value}>
        <section class="picture" aria-label="Graph">
          <div class="picture-head">
            <h2 class="run-title" title={run.description}>
              {run.title}
            </h2>
            {run.description && <p class="run-description">{run.description}</p>}
            {run.heads > 1 && (
              <HeadControl heads={run.heads} extents={run.extents} selection={step.selection} />
            )}
            <WholeGraph />
          </div>
          <Graph {...now} />
          <Legend {...now} />
        </section>
        <GraphSplitter main={() => main.current} />
        <StepPanel {...now} />
      </main>
      <Equations equations={run.equations} parts={step.parts} links={step.links} />
    </div>
  );
}
