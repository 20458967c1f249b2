// The softmax's derivative becomes p_ij (x_i - y_j), line by line, in letters and in numbers.
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { ResultView } from '../../src/stepper/result.ts';
import { MathML } from '../formula/MathML.tsx';
import { Scroller } from '../page/Scroller.tsx';
import { litPart } from '../state.ts';
import { LitMath } from './lit.tsx';

export function Collapse({ result }: { readonly result: ResultView }): JSX.Element {
  const { i, j, collapse } = result;
  const [lines, setLines] = useState(collapse.length);
  const marks = {
    marked: new Set(litPart.value ? [litPart.value] : []),
    linked: new Set<string>(),
  };
  return (
    <div class="block collapse">
      <h2 class="section-title">
        <span>
          Why p (x − y): the softmax at <i>i</i> = {i}, <i>j</i> = {j}
        </span>
        <button
          type="button"
          class="link"
          onClick={() => setLines(lines === collapse.length ? 1 : lines + 1)}
        >
          {lines === collapse.length ? 'line by line' : 'next line'}
        </button>
      </h2>
      <Scroller class="collapse-lines" label="Lines">
        <ol>
          {collapse.slice(0, lines).map(({ why, letters, numbers }, n) => (
            <li key={n}>
              <LitMath>
                {n > 0 && <span class="sign">=</span>}
                <MathML node={letters} marks={marks} />
              </LitMath>
              <LitMath>
                {numbers.map((term, at) => (
                  <span key={at} class="piece">
                    <span class="sign">{at === 0 ? '=' : '+'}</span>
                    <MathML node={term} marks={marks} />
                  </span>
                ))}
              </LitMath>
              <p class="note">{why}</p>
            </li>
          ))}
        </ol>
      </Scroller>
    </div>
  );
}
