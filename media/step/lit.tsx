// A factor that is pointed at lights its edges in the graph; choosing it leads to the step that computes it.
import type { ComponentChildren, JSX } from 'preact';
import { request } from '../requests.ts';
import { litPart, shown } from '../state.ts';

/** "y>x|P>S" -> the steps from y to x and from P to S. */
export function stepsOf(part: string): { readonly from: string; readonly to: string }[] {
  return part.split('|').flatMap((chain) => {
    const nodes = chain.split('>');
    return nodes.slice(1).map((to, n) => ({ from: nodes[n], to }));
  });
}

/** To the first of its steps, and there to the contribution. */
export function goToPart(part: string): void {
  const now = shown.value;
  const [step] = stepsOf(part);
  if (!now || !step) return;
  const { run } = now;
  const tick = run.ticks.findIndex(
    (caption, at) => at >= run.backwardFrom && caption.startsWith(`backward: ${step.from} →`),
  );
  const inputs = run.nodes.find(({ id }) => id === step.from)?.inputs ?? [];
  request({ type: 'goToTick', tick });
  if (inputs.length > 1) {
    request({ type: 'goToContribution', contribution: inputs.indexOf(step.to) });
  }
  litPart.value = null;
}

const light = (part: string | null) => (): void => {
  litPart.value = part;
};

export function Lit({
  part,
  children,
}: {
  readonly part: string;
  readonly children: ComponentChildren;
}): JSX.Element {
  return (
    <span
      class={litPart.value === part ? 'lit-factor lit' : 'lit-factor'}
      onMouseEnter={light(part)}
      onMouseLeave={light(null)}
      onFocusCapture={light(part)}
      onBlurCapture={light(null)}
    >
      {children}
    </span>
  );
}

/** The parts of a formula, each by itself. */
export function LitMath({ children }: { readonly children: ComponentChildren }): JSX.Element {
  const partAt = ({ target }: Event): string | null =>
    target instanceof Element
      ? (target.closest('[data-part]')?.getAttribute('data-part') ?? null)
      : null;
  return (
    // The same steps are reached by keyboard through the numbers above.
    <div
      class="lit-math"
      onMouseOver={(event) => (litPart.value = partAt(event))}
      onMouseLeave={light(null)}
      onClick={(event) => {
        const part = partAt(event);
        if (part) goToPart(part);
      }}
    >
      {children}
    </div>
  );
}
