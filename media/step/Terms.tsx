// The terms behind the selected entry: upstream × local Jacobian, zeros by structure included, and their sum.
import type { JSX } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { StepView, TermsView } from '../../src/stepper/stepView.ts';
import { plainLabel } from '../names.tsx';
import { formatOne } from '../numbers.ts';
import { request } from '../requests.ts';
import { pointedTerm, setUi, ui } from '../state.ts';
import { Scroller } from '../page/Scroller.tsx';
import { EntryName } from './parts.tsx';
import { columnsOf, type TermRow, termRows } from './termRows.ts';

export function Terms({
  terms,
  step,
}: {
  readonly terms: TermsView;
  readonly step: StepView;
}): JSX.Element {
  const zerosOpen = ui.value.zerosOpen;
  const { shown, folded, foldable } = termRows(terms, zerosOpen);
  const columns = columnsOf(terms.terms.map(({ label }) => label));
  const { focus } = step;
  const area = useRef<HTMLDivElement>(null);

  // The walk leads the eye: the current term is always in sight.
  useLayoutEffect(() => {
    area.current?.querySelector('tr.current')?.scrollIntoView({ block: 'nearest' });
  }, [terms.current]);

  return (
    <div class="block">
      <h2 class="section-title">
        <span>
          Terms of{' '}
          {focus && (
            <EntryName id={focus.node} index={focus.index} gradient={focus.kind === 'gradient'} />
          )}
        </span>
        {terms.current !== null && (
          <span class="badge">
            term {terms.current + 1} of {terms.terms.length}
          </span>
        )}
        {foldable > 0 && (
          <button
            type="button"
            class="link"
            aria-expanded={zerosOpen}
            onClick={() => setUi({ zerosOpen: !zerosOpen })}
          >
            {zerosOpen ? 'hide' : 'show'} {foldable} that are always 0
          </button>
        )}
      </h2>
      <Scroller class="terms-scroll" area={area} label="Terms">
        <table class="terms figures" onMouseLeave={() => (pointedTerm.value = null)}>
          <thead>
            <tr>
              <th scope="col">{columns.rowHead}</th>
              {columns.factors.map((factor, n) => (
                <th key={n} scope="col" class="number">
                  {n > 0 && '× '}
                  {plainLabel(factor)}
                </th>
              ))}
              <th scope="col" class="number">
                = product
              </th>
              <th scope="col" class="number">
                sum so far
              </th>
            </tr>
          </thead>
          <tbody>
            {shown.map((row) => (
              <Row
                key={row.at}
                row={row}
                name={plainLabel(columns.row(row.term.label))}
                factors={columns.factors.length}
                current={row.at === terms.current}
              />
            ))}
          </tbody>
        </table>
      </Scroller>
      {(folded > 0 || terms.omitted > 0) && (
        <p class="note">
          {folded + terms.omitted} more terms are always 0: what they go through does not depend on
          this entry.
        </p>
      )}
    </div>
  );
}

function Row({
  row,
  name,
  factors,
  current,
}: {
  readonly row: TermRow;
  readonly name: string;
  readonly factors: number;
  readonly current: boolean;
}): JSX.Element {
  const { at, term, sum } = row;
  const structural = term.zero === 'structure';
  const classes = [current ? 'current' : '', structural ? 'structural' : ''].join(' ').trim();
  const go = (): void => {
    request({ type: 'goToTerm', term: at });
  };
  return (
    // The button in the first cell is what the keyboard and screen readers use.
    <tr
      class={classes}
      aria-current={current ? 'step' : undefined}
      onClick={go}
      onMouseEnter={() => (pointedTerm.value = at)}
    >
      <th scope="row">
        <button
          type="button"
          class="term-button"
          title="Go to this term"
          onClick={(event) => {
            event.stopPropagation();
            go();
          }}
        >
          {name}
        </button>
      </th>
      {Array.from({ length: factors }, (_, n) => (
        <td key={n} class="number">
          {n < term.factors.length ? formatOne(term.factors[n]) : ''}
        </td>
      ))}
      {structural ? (
        <td class="number" colSpan={2} data-value="0">
          always 0
        </td>
      ) : (
        <>
          <td class="number product" data-value={String(term.product)}>
            {formatOne(term.product)}
          </td>
          <td class="number" data-sum={String(sum)}>
            {formatOne(sum)}
          </td>
        </>
      )}
    </tr>
  );
}
