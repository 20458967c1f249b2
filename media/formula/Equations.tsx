// The exercise's equations, with the parts marked that this step computes.
import type { JSX } from 'preact';
import type { EquationView } from '../../src/stepper/runView.ts';
import { setUi, ui } from '../state.ts';
import { Scroller } from '../page/Scroller.tsx';
import { MathML } from './MathML.tsx';
import type { MathNode } from '../../src/engine/formula.ts';

function hasPart(node: MathNode, marked: ReadonlySet<string>): boolean {
  if (node.part !== undefined && marked.has(node.part)) return true;
  return node.children?.some((child) => hasPart(child, marked)) ?? false;
}

export function Equations({
  equations,
  parts,
}: {
  readonly equations: readonly EquationView[];
  readonly parts: readonly string[];
}): JSX.Element {
  const marked = new Set(parts);
  const open = ui.value.equationsOpen;
  return (
    <section class="equations" aria-label="Equations">
      <button
        type="button"
        class="section-title disclosure"
        aria-expanded={open}
        onClick={() => setUi({ equationsOpen: !open })}
      >
        <span class={open ? 'twistie open' : 'twistie'} aria-hidden="true" />
        Equations
        <span class="hint">the parts of this step are marked</span>
      </button>
      {open && (
        <Scroller class="equation-list" label="Equations">
          <ol>
            {equations.map(({ number, title, math }) => (
              <li
                key={`${number} ${title}`}
                class={hasPart(math, marked) ? 'touched' : ''}
                title={title}
              >
                <span class="number">({number})</span>
                <span class="hidden">{title}</span>
                <div class="math">
                  <MathML node={math} marked={marked} />
                </div>
              </li>
            ))}
          </ol>
        </Scroller>
      )}
    </section>
  );
}
