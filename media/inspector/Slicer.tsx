// Which two axes are drawn, and where the others stand.
import type { JSX } from 'preact';
import type { TensorInfo } from '../../src/inspect/messages.ts';
import { MOST_MATRICES } from './matrices.ts';
import { multiplesAxis, showMultiples, slice, slicing } from './state.ts';

export function Slicer({ info }: { readonly info: TensorInfo }): JSX.Element | null {
  const { axes } = info;
  const { rowAxis, colAxis, fixed } = slicing.value;
  if (axes.length < 2 || rowAxis === null || colAxis === null) return null;
  const drawAs = (which: 'rowAxis' | 'colAxis', axis: number): void => {
    // Choosing the axis that is drawn the other way swaps the two.
    const other = which === 'rowAxis' ? colAxis : rowAxis;
    const own = which === 'rowAxis' ? rowAxis : colAxis;
    const swapped = which === 'rowAxis' ? { colAxis: own } : { rowAxis: own };
    slice({ [which]: axis, ...(axis === other ? swapped : {}) });
  };
  const picker = (which: 'rowAxis' | 'colAxis', label: string, value: number): JSX.Element => (
    <label class="field">
      <span>{label}</span>
      <select value={value} onChange={(event) => drawAs(which, Number(event.currentTarget.value))}>
        {axes.map(({ name }, axis) => (
          <option key={axis} value={axis}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
  return (
    <div class="slicer" role="group" aria-label="Slicing">
      <div class="pickers">
        {picker('rowAxis', 'rows', rowAxis)}
        {picker('colAxis', 'columns', colAxis)}
        <button
          type="button"
          class="quiet"
          title="Swap rows and columns"
          onClick={() => slice({ rowAxis: colAxis, colAxis: rowAxis })}
        >
          ⇄ <span class="hidden">Swap rows and columns</span>
        </button>
      </div>
      {axes.map(({ name, length }, axis) =>
        axis === rowAxis || axis === colAxis ? null : (
          <AxisIndex
            key={axis}
            name={name}
            length={length}
            at={fixed[axis]}
            isAll={multiplesAxis.value === axis}
            axis={axis}
            onMove={(at) => slice({ fixed: fixed.map((each, n) => (n === axis ? at : each)) })}
          />
        ),
      )}
    </div>
  );
}

interface AxisIndexProps {
  readonly name: string;
  readonly length: number;
  readonly axis: number;
  readonly at: number;
  readonly isAll: boolean;
  readonly onMove: (at: number) => void;
}

function AxisIndex({ name, length, axis, at, isAll, onMove }: AxisIndexProps): JSX.Element {
  const move = (event: JSX.TargetedEvent<HTMLInputElement>): void => {
    const wanted = Math.round(Number(event.currentTarget.value));
    if (Number.isFinite(wanted)) onMove(Math.min(Math.max(wanted, 0), length - 1));
  };
  const all = length > MOST_MATRICES ? `first ${MOST_MATRICES}` : 'all';
  return (
    <div class="axis">
      <span class="axis-name">{name}</span>
      <input
        type="range"
        min={0}
        max={Math.max(0, length - 1)}
        value={at}
        disabled={isAll || length < 2}
        aria-label={`Index on ${name}`}
        onInput={move}
      />
      <input
        type="number"
        min={0}
        max={Math.max(0, length - 1)}
        value={at}
        disabled={isAll || length < 2}
        aria-label={`Index on ${name}, as a number`}
        onChange={move}
      />
      {length > 1 && (
        <label class="all">
          <input
            type="checkbox"
            checked={isAll}
            onChange={() => showMultiples(isAll ? null : axis)}
          />
          {all}
        </label>
      )}
    </div>
  );
}
