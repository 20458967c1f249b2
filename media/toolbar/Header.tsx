// The bar on top: how to move, where one is, what was just computed, what comes next.
import type { JSX } from 'preact';
import type { StepView } from '../../src/stepper/stepView.ts';
import { currentNode, draggedTick, remark, type Shown, walk } from '../state.ts';
import { Names, plainCaption } from '../names.tsx';
import { post } from '../vscode.ts';
import { KeyHelp } from './KeyHelp.tsx';
import { Slider } from './Slider.tsx';
import { Toolbar } from './Toolbar.tsx';

/** "backward: y → P" as the phase, and what moves. */
function splitCaption(caption: string): readonly [string, string] {
  const at = caption.indexOf(':');
  return at < 0 ? ['', caption] : [caption.slice(0, at), caption.slice(at + 1).trim()];
}

function Caption({
  step,
  level,
}: {
  readonly step: StepView;
  readonly level: string;
}): JSX.Element {
  const [phase, what] = splitCaption(step.caption);
  const isPlace = step.phase === 'forward' || step.phase === 'backward';
  return (
    <h1 class="caption">
      <span class="phase">{phase}</span>
      <span class="what">{isPlace ? <Names text={what} /> : what}</span>
      {level && <span class="level">{level}</span>}
    </h1>
  );
}

/** What comes next, and the way there. */
function Next({ step }: { readonly step: StepView }): JSX.Element {
  if (step.next === null) return <p class="next done">the end</p>;
  const [phase, what] = splitCaption(step.next);
  return (
    <button type="button" class="next" title="Go there" onClick={() => walk('over')}>
      <span class="muted">next</span> {phase}{' '}
      {/^(forward|backward)$/.test(phase) ? <Names text={what} /> : what}
    </button>
  );
}

/** How deep the walk has stepped in. */
function levelText({ run, step }: Shown): string {
  const { level, terms, edges } = step;
  if (level === 'term' && terms?.current !== null && terms)
    return `term ${terms.current + 1} of ${terms.terms.length}`;
  if (level === 'node') return '';
  const node = run.nodes.find(({ id }) => id === currentNode.value);
  const inputs = node?.inputs ?? [];
  return `contribution ${(edges[0]?.slot ?? 0) + 1} of ${inputs.length || 1} of ${node?.id ?? ''}`;
}

export function Header(now: Shown): JSX.Element {
  const { run, step } = now;
  const last = step.ticks - 1;
  return (
    <header class="top">
      <div class="controls">
        <Toolbar hasBreakpoints={run.breakpoints.length > 0} />
        <Slider run={run} tick={step.tick} />
        <span class="count figures">
          <b>{draggedTick.value ?? step.tick}</b> / {last}
        </span>
        <button
          type="button"
          class="link compare"
          title="Compare the tensors of your own implementation with these: from a file, a paused program or your module"
          onClick={() => post({ type: 'compare' })}
        >
          Compare My Tensors…
        </button>
        <KeyHelp />
      </div>
      <div class="where">
        <div aria-live="polite" aria-atomic="true" class="now">
          <Caption step={step} level={levelText(now)} />
          <p class={remark.value ? 'sentence remark' : 'sentence'}>
            {remark.value || plainCaption(step.sentence, run.nodes)}
          </p>
        </div>
        <Next step={step} />
      </div>
    </header>
  );
}
