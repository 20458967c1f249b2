// The exercise's last page: df/dx_i and df/dx'_j as sums of their factors, each a number that leads to its step.
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { FactorView, ResultView, SideView, SummandView } from '../../src/stepper/result.ts';
import { MathML } from '../formula/MathML.tsx';
import { Name } from '../names.tsx';
import { decimalsFor, formatFixed } from '../numbers.ts';
import { Scroller } from '../page/Scroller.tsx';
import { request } from '../requests.ts';
import { litPart } from '../state.ts';
import { Collapse } from './Collapse.tsx';
import { goToPart, Lit } from './lit.tsx';

/** "0.256", "(0.12, −0.27)": of a vector each entry has one digit less, for it stands in a table. */
function vector(numbers: readonly number[]): string {
  const decimals = decimalsFor(Math.max(...numbers.map(Math.abs)));
  const texts = numbers.map((each) =>
    formatFixed(each, Math.max(1, decimals - (numbers.length > 1 ? 1 : 0))),
  );
  return texts.length === 1 ? texts[0] : `(${texts.join(', ')})`;
}

function Factor({ factor }: { readonly factor: FactorView }): JSX.Element {
  const { part, numbers } = factor;
  return (
    <Lit part={part}>
      <button
        type="button"
        class="factor figures"
        data-value={numbers.join(' ')}
        title="Go to the step that computes it"
        onClick={(event) => {
          event.stopPropagation();
          goToPart(part);
        }}
      >
        {vector(numbers)}
      </button>
    </Lit>
  );
}

function Summand({
  side,
  summand,
  chosen,
}: {
  readonly side: SideView;
  readonly summand: SummandView;
  readonly chosen: boolean;
}): JSX.Element {
  const choose = (): void => {
    request({ type: 'select', selection: { [side.over]: summand.at } });
  };
  return (
    <tr class={chosen ? 'chosen' : ''} onClick={choose}>
      <th scope="row">
        <button
          type="button"
          class="term-button"
          aria-label={`${side.over} = ${summand.at}`}
          aria-pressed={chosen}
          onClick={choose}
        >
          {summand.at}
        </button>
      </th>
      {summand.factors.map((factor, n) => (
        <td key={n} class="number">
          <Factor factor={factor} />
        </td>
      ))}
      <td class="number product" data-summand={summand.product.join(' ')}>
        {vector(summand.product)}
      </td>
    </tr>
  );
}

function Tokens({ side }: { readonly side: SideView }): JSX.Element {
  return (
    <span class="segments" role="group" aria-label="Token">
      {Array.from({ length: side.tokens }, (_, at) => (
        <button
          key={at}
          type="button"
          aria-pressed={at === side.at}
          onClick={() => request({ type: 'select', selection: { [side.letter]: at } })}
        >
          {at}
        </button>
      ))}
    </span>
  );
}

function Total({ side, sides }: { side: SideView; sides: readonly SideView[] }): JSX.Element {
  const { node, at, total, gathered, role } = side;
  const isWhole = sides.every((each) => each === side || each.node !== node);
  return (
    <p class="entry-line figures">
      <span class="entry-name">
        <Name id={node} gradient />
        <span class="index">[{at}]</span>
      </span>
      {isWhole ? (
        <output data-total={total.join(' ')}>= {vector(total)}</output>
      ) : (
        <span>
          {role} = <output data-total={total.join(' ')}>{vector(total)}</output>, of{' '}
          {vector(gathered)} in all
        </span>
      )}
    </p>
  );
}

export function Result({ result }: { readonly result: ResultView }): JSX.Element {
  const [shown, setShown] = useState(0);
  const { sides } = result;
  const side = sides[shown];
  const chosen = side.over === 'j' ? result.j : result.i;
  const heads = side.summands[0]?.factors ?? [];
  return (
    <section class="step result" aria-label="Result">
      <div class="tabs" role="group" aria-label="Gradient">
        {sides.map((each, n) => (
          <button key={n} type="button" aria-pressed={n === shown} onClick={() => setShown(n)}>
            <Name id={each.node} gradient /> {each.role}
          </button>
        ))}
        <span class="tokens">
          token <Tokens side={side} />
        </span>
      </div>
      <Scroller class="formula" label="Equation">
        <MathML
          node={side.equation}
          marks={{ marked: new Set(litPart.value ? [litPart.value] : []), linked: new Set() }}
        />
      </Scroller>
      <Scroller class="result-sum" label="Summands">
        <table class="terms figures">
          <thead>
            <tr>
              <th scope="col">
                <i>{side.over}</i>
              </th>
              {heads.map(({ math, text, part }, n) => (
                <th key={n} scope="col" class="number">
                  <Lit part={part}>
                    <span class="hidden">{text}</span>
                    <MathML node={math} />
                  </Lit>
                </th>
              ))}
              <th scope="col" class="number">
                = summand
              </th>
            </tr>
          </thead>
          <tbody>
            {side.summands.map((summand) => (
              <Summand
                key={summand.at}
                side={side}
                summand={summand}
                chosen={summand.at === chosen}
              />
            ))}
          </tbody>
        </table>
      </Scroller>
      <Total side={side} sides={sides} />
      <Collapse result={result} />
    </section>
  );
}
