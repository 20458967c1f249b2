// The right column: what this step does, with its formula, its numbers, the terms behind one entry and the paths.
import type { JSX } from 'preact';
import type { NodeView } from '../../src/stepper/runView.ts';
import type { StepView } from '../../src/stepper/stepView.ts';
import { SideBySide } from '../compare/SideBySide.tsx';
import { MathML } from '../formula/MathML.tsx';
import { Scroller } from '../page/Scroller.tsx';
import { currentNode, type Shown } from '../state.ts';
import { Accumulation } from './Accumulation.tsx';
import { ContributionTabs } from './ContributionTabs.tsx';
import { Forces } from './Forces.tsx';
import { Paths } from './Paths.tsx';
import { Start } from './Start.tsx';
import { Terms } from './Terms.tsx';
import { Value } from './Value.tsx';

function nodeOf({ run }: Shown, id: string): NodeView | undefined {
  return run.nodes.find((node) => node.id === id);
}

function FormulaBlock({
  formula,
}: {
  readonly formula: NonNullable<StepView['formula']>;
}): JSX.Element {
  const same = JSON.stringify(formula.general) === JSON.stringify(formula.bound);
  return (
    <Scroller class="formula" label="Formula">
      <div>
        <MathML node={formula.general} />
      </div>
      {!same && (
        <div class="bound">
          <MathML node={formula.bound} label={formula.text} />
        </div>
      )}
    </Scroller>
  );
}

export function StepPanel(props: Shown): JSX.Element {
  const { run, step, ranges } = props;
  const current = currentNode.value;
  const node = current === null ? undefined : nodeOf(props, current);
  const focus = step.focus && nodeOf(props, step.focus.node);
  if (!focus || !node) return <Start {...props} />;
  return (
    <section class="step" aria-label="This step">
      {step.phase === 'backward' && <ContributionTabs node={node} step={step} />}
      {step.formula && <FormulaBlock formula={step.formula} />}
      {step.mine && step.focus && (
        <SideBySide
          node={focus}
          focus={step.focus}
          mine={step.mine}
          range={ranges[step.focus.kind]}
          extents={run.extents}
        />
      )}
      {step.value && <Value node={focus} step={step} range={ranges.value} extents={run.extents} />}
      {step.accumulation && (
        <Accumulation
          node={focus}
          accumulation={step.accumulation}
          index={step.focus?.index ?? []}
          range={ranges.gradient}
          extents={run.extents}
        />
      )}
      {step.paths.length > 1 && (
        <Paths paths={step.paths} node={focus.id} index={step.focus?.index ?? []} />
      )}
      {step.forces && <Forces forces={step.forces} />}
      {step.terms && <Terms key={`${step.phase} ${focus.id}`} terms={step.terms} step={step} />}
    </section>
  );
}
