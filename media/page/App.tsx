// The panel: header, graph, this step, equations.
import type { JSX } from 'preact';
import { computed } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { Equations } from '../formula/Equations.tsx';
import { Graph } from '../graph/Graph.tsx';
import { Comparison } from '../compare/Comparison.tsx';
import { HeadControl } from '../graph/HeadControl.tsx';
import { Legend } from '../graph/Legend.tsx';
import { comparison, computing, empty, problems, setUi, shown, type Shown, ui } from '../state.ts';
import { StepPanel } from '../step/StepPanel.tsx';
import { Header } from '../toolbar/Header.tsx';
import { Computing } from './Computing.tsx';
import { EmptyState } from './EmptyState.tsx';
import { Notices, Problems } from './Notices.tsx';
import { isGraphFirst, isSideBySide } from './room.ts';
import { Splitter } from './Splitter.tsx';

export function App(): JSX.Element {
  const now = shown.value;
  if (now) return <Panel {...now} />;
  return (
    <>
      <Problems messages={problems.value} stale={false} />
      {empty.value && !computing.value ? <EmptyState {...empty.value} /> : <Computing alone />}
    </>
  );
}

/** Percent of the height; a comparison's verdicts on top leave less of the whole. */
const graphHeight = computed(() => ui.value.graphHeight ?? (comparison.value ? 58 : 52));
/** Percent that may be taken rather than that the graph is cut; a comparison's numbers matter more. */
const graphHeightWhenCut = computed(() =>
  isGraphFirst.value && ui.value.graphHeight === null && !comparison.value ? 58 : graphHeight.value,
);

/** Between the graph and the step beside or below it. */
function GraphSplitter({ main }: { readonly main: () => HTMLElement | null }): JSX.Element {
  const beside = isSideBySide.value;
  const { graphWidth } = ui.value;
  const valueAt = ({ clientX, clientY }: PointerEvent): number => {
    const { left, top, width, height } = main()!.getBoundingClientRect();
    return 100 * (beside ? (clientX - left) / width : (clientY - top) / height);
  };
  return (
    <Splitter
      label="Room for the graph"
      orientation={beside ? 'vertical' : 'horizontal'}
      value={beside ? graphWidth : graphHeight.value}
      min={20}
      max={80}
      valueAt={valueAt}
      more={beside ? 'ArrowRight' : 'ArrowDown'}
      onChange={(value) => setUi(beside ? { graphWidth: value } : { graphHeight: value })}
    />
  );
}

function Panel(now: Shown): JSX.Element {
  const { run, step } = now;
  const main = useRef<HTMLElement>(null);
  const shares = {
    '--graph-width': ui.value.graphWidth,
    '--graph-height': graphHeight.value / 100,
    '--graph-height-when-cut': graphHeightWhenCut.value / 100,
  };
  return (
    <div class={`page ${step.phase}`}>
      <Header {...now} />
      <div class="bars">
        <Computing alone={false} />
        <Problems messages={problems.value} stale />
        <Notices messages={run.notices} />
        <Comparison />
      </div>
      <main class="main" ref={main} style={shares}>
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
          <Legend {...now} />
        </section>
        <GraphSplitter main={() => main.current} />
        <StepPanel {...now} />
      </main>
      <Equations equations={run.equations} parts={step.parts} links={step.links} />
    </div>
  );
}
