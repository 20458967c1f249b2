// The exercise's equations, with the factors marked that this step computes; folded where there is little room.
import type { JSX } from 'preact';
import { useRef } from 'preact/hooks';
import type { EquationView } from '../../src/stepper/runView.ts';
import { setUi, ui } from '../state.ts';
import { isRoomy } from '../page/room.ts';
import { Scroller } from '../page/Scroller.tsx';
import { Splitter } from '../page/Splitter.tsx';
import { MathML } from './MathML.tsx';
import type { MathNode } from '../../src/engine/mathml.ts';

function hasPart(node: MathNode, marked: ReadonlySet<string>): boolean {
  if (node.part !== undefined && marked.has(node.part)) return true;
  return node.children?.some((child) => hasPart(child, marked)) ?? false;
}

/** Percent of the page's height that an element takes. */
const shareOf = (element: HTMLElement | null): number =>
  (100 * (element?.offsetHeight ?? 0)) / window.innerHeight;

export function Equations({
  equations,
  parts,
  links,
}: {
  readonly equations: readonly EquationView[];
  readonly parts: readonly string[];
  readonly links: readonly string[];
}): JSX.Element {
  const section = useRef<HTMLElement>(null);
  const marks = { marked: new Set(parts), linked: new Set(links) };
  const { equationsOpen, equationsShare } = ui.value;
  const open = equationsOpen ?? isRoomy.value;
  const height = equationsShare === null ? undefined : `${equationsShare}vh`;
  return (
    <section
      class={open ? 'equations open' : 'equations'}
      aria-label="Equations"
      ref={section}
      style={open && height ? { height, maxHeight: 'none' } : undefined}
    >
      {open && (
        <Splitter
          label="Room for the equations"
          orientation="horizontal"
          value={equationsShare}
          measure={() => shareOf(section.current)}
          min={8}
          max={60}
          valueAt={({ clientY }) => 100 * (1 - clientY / window.innerHeight)}
          more="ArrowUp"
          onChange={(value) => setUi({ equationsShare: value })}
        />
      )}
      <button
        type="button"
        class="section-title disclosure"
        aria-expanded={open}
        onClick={() => setUi({ equationsOpen: !open })}
      >
        <span class={open ? 'twistie open' : 'twistie'} aria-hidden="true" />
        Equations
        {open && (
          <span class="hint">
            <i class="sample marked">marked</i>: what this step computes
            {links.length > 0 && (
              <>
                , <i class="sample linked">dotted</i>: what it is one step of
              </>
            )}
          </span>
        )}
      </button>
      {open && (
        <Scroller class="equation-list" label="Equations">
          <ol>
            {equations.map(({ number, title, note, math }) => (
              <li
                key={`${number} ${title}`}
                class={hasPart(math, marks.marked) ? 'touched' : ''}
                title={title}
              >
                <span class="number">{number && `(${number})`}</span>
                <span class="hidden">{title}</span>
                <div class="math">
                  <MathML node={math} marks={marks} />
                </div>
                {note && <span class="equation-note">{note}</span>}
              </li>
            ))}
          </ol>
        </Scroller>
      )}
    </section>
  );
}
