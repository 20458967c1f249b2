// The right column: what this step does, with its formula, its numbers, the terms behind one entry and the paths.
import type { JSX } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { NodeView } from '../../src/stepper/runView.ts';
import type { StepView } from '../../src/stepper/stepView.ts';
import { SideBySide } from '../compare/SideBySide.tsx';
import { MathML } from '../formula/MathML.tsx';
import { TERMS_WIDTH, widthOf } from '../matrix/Matrix.tsx';
import { stepWidth } from '../page/room.ts';
import { Scroller } from '../page/Scroller.tsx';
import { currentNode, type Shown } from '../state.ts';
import { Accumulation } from './Accumulation.tsx';
import { ContributionTabs } from './ContributionTabs.tsx';
import { Forces } from './Forces.tsx';
import { Paths } from './Paths.tsx';
import { Result } from './Result.tsx';
import { Start } from './Start.tsx';
import { widthOfTerms } from './termRows.ts';
import { Terms } from './Terms.tsx';
import { Worked } from './Worked.tsx';
import { Value } from './Value.tsx';

/** As in step.css. */
const NARROW = 600 - 32;

/** What a large matrix takes in width, with its heading. */
const ROOM = 164;

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
  const pane = useRef<HTMLElement>(null);
  const isAtTerm = step.terms !== null && step.terms.current !== null;
  // Each step is read from its top; among its terms the current one leads.
  useLayoutEffect(() => {
    if (pane.current && !isAtTerm) pane.current.scrollTop = 0;
  }, [step.phase, step.focus?.node, step.focus?.kind, isAtTerm]);
  if (step.result) return <Result result={step.result} />;
  const current = currentNode.value;
  const node = current === null ? undefined : nodeOf(props, current);
  const focus = step.focus && nodeOf(props, step.focus.node);
  if (!focus || !node) return <Start {...props} />;
  const { mine, value, accumulation } = step;
  // Beside the person's own, the reference is what this step computes: it is not shown twice.
  const isShown = mine !== null && (value !== null || accumulation?.of === 1);
  // A single term, 1 times the slope, says less than where the slope is from.
  const isWorkedOut = step.worked !== null && (step.terms?.terms.length ?? 0) < 2;
  // One matrix leaves room for its terms beside it.
  const alone = value?.picture ?? (accumulation?.before === null ? accumulation.after : null);
  // Where there is very little room, names of terms are broken instead.
  const named = step.terms && stepWidth.value > NARROW ? widthOfTerms(step.terms) : 0;
  const termsWidth = Math.max(TERMS_WIDTH, named);
  const beside = !isShown && alone !== null && widthOf(alone, ROOM) + termsWidth <= stepWidth.value;
  return (
    <section class="step" aria-label="This step" ref={pane}>
      {step.phase === 'backward' && <ContributionTabs node={node} step={step} />}
      {step.formula && <FormulaBlock formula={step.formula} />}
      {mine && step.focus && (
        <SideBySide
          node={focus}
          focus={step.focus}
          mine={mine}
          ranges={ranges}
          extents={run.extents}
        />
      )}
      <div class={beside ? 'numbers beside' : 'numbers'}>
        {value && !isShown && (
          <Value node={focus} step={step} ranges={ranges} extents={run.extents} />
        )}
        {accumulation && !isShown && (
          <Accumulation
            node={focus}
            accumulation={accumulation}
            index={step.focus?.index ?? []}
            ranges={ranges}
            extents={run.extents}
          />
        )}
        {step.worked && <Worked key={`${step.phase} ${focus.id}`} worked={step.worked} />}
        {step.terms && !isWorkedOut && (
          <Terms key={`${step.phase} ${focus.id}`} terms={step.terms} step={step} />
        )}
      </div>
      {step.paths.length > 1 && (
        <Paths paths={step.paths} node={focus.id} index={step.focus?.index ?? []} />
      )}
      {step.forces && <Forces forces={step.forces} />}
    </section>
  );
}
