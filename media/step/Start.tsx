// Before the first step: what is given, and how to begin.
import type { JSX } from 'preact';
import { shapeText } from '../matrix/cells.ts';
import { Name } from '../names.tsx';
import { type Shown, walk } from '../state.ts';
import { Forces } from './Forces.tsx';

export function Start({ run, step }: Shown): JSX.Element {
  const inputs = run.nodes.filter(({ kind }) => kind === 'input');
  return (
    <section class="step" aria-label="This step">
      <h2 class="section-title">Given</h2>
      <table class="given">
        <tbody>
          {inputs.map(({ id, shape, axes, summary }) => (
            <tr key={id}>
              <th scope="row">
                <Name id={id} />
              </th>
              <td class="figures">{shapeText(shape)}</td>
              <td>
                {summary} <span class="muted">{axes.join(' × ')}</span>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <h2 class="section-title">How to read the picture</h2>
      <ul class="reading">
        <li>
          A node shows two pictures: its <b>value</b>, then its <b>gradient</b> df/dnode, dashed
          until the first contribution arrives.
        </li>
        <li>
          Forward runs left to right. Backward runs right to left on the same edges, and each arrow
          adds to the gradient it points at: 1/2 means one of two contributions.
        </li>
        <li>
          Click a node to go there, a cell to select an entry; ↓ steps into the terms behind it.
        </li>
      </ul>
      <p>
        <button type="button" class="primary" onClick={() => walk('over')}>
          Compute the first node
        </button>
      </p>
      {step.forces && <Forces forces={step.forces} />}
    </section>
  );
}
