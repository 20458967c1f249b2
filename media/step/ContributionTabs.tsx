// A backward step's contributions: one for each operand of the node; choosing one enters it.
import type { JSX } from 'preact';
import type { NodeView } from '../../src/stepper/runView.ts';
import type { StepView } from '../../src/stepper/stepView.ts';
import { Name } from '../names.tsx';
import { request } from '../requests.ts';

export function ContributionTabs({
  node,
  step,
}: {
  readonly node: NodeView;
  readonly step: StepView;
}): JSX.Element | null {
  const { inputs } = node;
  if (inputs.length < 2) return null;
  const entered = step.level === 'node' ? inputs.length - 1 : (step.edges[0]?.slot ?? 0);
  const go = (contribution: number): void => {
    request({ type: 'goToContribution', contribution });
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (by === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    const next = (entered + by + inputs.length) % inputs.length;
    go(next);
    if (event.currentTarget instanceof Element) {
      event.currentTarget.querySelectorAll<HTMLElement>('[role=tab]')[next]?.focus();
    }
  };
  return (
    <div class="tabs" role="tablist" aria-label="Contributions of this step" onKeyDown={onKeyDown}>
      {inputs.map((to, slot) => (
        <button
          key={slot}
          type="button"
          role="tab"
          aria-selected={slot === entered}
          tabIndex={slot === entered ? 0 : -1}
          onClick={() => go(slot)}
        >
          <Name id={node.id} /> → <Name id={to} />
          <span class="hidden">
            , contribution {slot + 1} of {inputs.length}
          </span>
        </button>
      ))}
    </div>
  );
}
