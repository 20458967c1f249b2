// The panel: header, graph, this step, equations.
import type { JSX } from 'preact';
import { Equations } from '../formula/Equations.tsx';
import { Graph } from '../graph/Graph.tsx';
import { Comparison } from '../compare/Comparison.tsx';
import { HeadControl } from '../graph/HeadControl.tsx';
import { Legend } from '../graph/Legend.tsx';
import { empty, problems, shown, type Shown } from '../state.ts';
import { StepPanel } from '../step/StepPanel.tsx';
import { Header } from '../toolbar/Header.tsx';
import { EmptyState } from './EmptyState.tsx';
import { Notices, Problems } from './Notices.tsx';
import { specialsOf } from './specials.ts';

export function App(): JSX.Element {
  const now = shown.value;
  if (now) return <Panel {...now} />;
  return (
    <>
      <Problems messages={problems.value} stale={false} />
      {empty.value ? <EmptyState {...empty.value} /> : <p class="waiting">Computing the setup…</p>}
    </>
  );
}

function Panel(now: Shown): JSX.Element {
  const { run, step } = now;
  return (
    <div class={`page ${step.phase}`}>
      <Header {...now} />
      <div class="bars">
        <Problems messages={problems.value} stale />
        <Notices messages={run.notices} />
        <Comparison />
      </div>
      <main class="main">
        <section class="picture" aria-label="Graph">
          <div class="picture-head">
            <h2 class="run-title" title={run.description}>
              {run.title}
            </h2>
            {run.description && <p class="run-description">{run.description}</p>}
            {run.heads > 1 && (
              <HeadControl heads={run.heads} extents={run.extents} selection={step.selection} />
            )}
          </div>
          <Graph {...now} />
          <Legend ranges={now.ranges} special={specialsOf(run, step)} />
        </section>
        <StepPanel {...now} />
      </main>
      <Equations equations={run.equations} parts={step.parts} />
    </div>
  );
}
