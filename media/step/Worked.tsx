// The numbers on the way to the selected entry of a softmax, or to f: a row for each entry that takes part.
import type { JSX } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { WorkedView } from '../../src/stepper/stepView.ts';
import { plainLabel, plainName } from '../names.tsx';
import { formatOne } from '../numbers.ts';
import { Scroller } from '../page/Scroller.tsx';

export function Worked({ worked }: { readonly worked: WorkedView }): JSX.Element {
  const { columns, rows, omitted, summary } = worked;
  const area = useRef<HTMLDivElement>(null);
  // The row follows the selected entry in the table's own box: what is above it stays where it is.
  useLayoutEffect(() => {
    const box = area.current;
    const row = box?.querySelector<HTMLElement>('tr.current');
    if (box && row) box.scrollTop = row.offsetTop - box.clientHeight / 2;
  }, [worked]);
  return (
    <div class="block terms-block">
      <h2 class="section-title">
        <span>Worked out</span>
        <span class="badge figures" data-value={String(summary.value)}>
          {summary.name} = {formatOne(summary.value)}
        </span>
      </h2>
      <Scroller class="terms-scroll" area={area} label="Worked out">
        <table class="terms figures">
          <thead>
            <tr>
              <th scope="col">entry</th>
              {columns.map((column) => (
                <th key={column} scope="col" class="number">
                  {plainName(column)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map(({ label, numbers, chosen }) => (
              <tr key={label} class={chosen ? 'current' : ''}>
                <th scope="row">{plainLabel(label)}</th>
                {numbers.map((each, n) => (
                  <td key={n} class="number" data-value={String(each)}>
                    {formatOne(each)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </Scroller>
      {omitted > 0 && <p class="note">{omitted} more entries are not listed; the sum has them.</p>}
    </div>
  );
}
