// The inspector: which tensor, its picture or numbers, colours, statistics, pins; beside a file's list of tensors.
import type { JSX } from 'preact';
import type { InspectorState, TensorInfo } from '../../src/inspect/messages.ts';
import { post } from './door.ts';
import { FileList } from './FileList.tsx';
import { Grid } from './Grid.tsx';
import { TensorHeader, WalkHeader } from './Header.tsx';
import { Legend } from './Legend.tsx';
import { Picture } from './Picture.tsx';
import { Hover } from './Readout.tsx';
import { Pins } from './Pins.tsx';
import { Slicer } from './Slicer.tsx';
import { look, looking, progress, state, trouble } from './state.ts';
import { Statistics } from './Statistics.tsx';

export function App(): JSX.Element {
  const now = state.value;
  if (!now) return <main class="inspector" aria-busy="true" />;
  const { empty, file, shown, walk, pins } = now;
  if (empty) {
    return (
      <main class="inspector nothing">
        <h1>Nothing to inspect</h1>
        <p>{empty.message}</p>
        {empty.action === 'openExample' && (
          <button type="button" class="primary" onClick={() => post({ type: 'openExample' })}>
            Open the exercise
          </button>
        )}
        <Pins pins={pins} shown={null} />
      </main>
    );
  }
  return (
    <div class={file ? 'with-file' : ''}>
      {file && <FileList file={file} shown={shown?.id ?? null} />}
      <main class="inspector">
        {walk && <WalkHeader walk={walk} />}
        <Problems now={now} />
        {shown ? <TensorView info={shown} now={now} /> : <Pins pins={pins} shown={null} />}
      </main>
    </div>
  );
}

function Problems({ now }: { readonly now: InspectorState }): JSX.Element | null {
  const lines = [...(now.problem?.split('\n') ?? []), trouble.value].filter((line) => line !== '');
  const unique = [...new Set(lines)];
  if (unique.length === 0) return null;
  return (
    <div class="problems" role="status">
      {unique.slice(0, 20).map((line) => (
        <p key={line}>{line}</p>
      ))}
      {unique.length > 20 && <p>… and {unique.length - 20} more.</p>}
    </div>
  );
}

function TensorView({
  info,
  now,
}: {
  readonly info: TensorInfo;
  readonly now: InspectorState;
}): JSX.Element {
  const { as } = looking.value;
  const isEmpty = info.axes.some(({ length }) => length === 0);
  return (
    <>
      <TensorHeader info={info} state={now} />
      <Slicer info={info} />
      {isEmpty ? (
        <p class="muted">This tensor has no entries: one of its axes has length 0.</p>
      ) : (
        <>
          <div class="modes">
            <div class="tabs" role="radiogroup" aria-label="Shown as">
              {(['picture', 'numbers'] as const).map((each) => (
                <label key={each} class={as === each ? 'tab chosen' : 'tab'}>
                  <input
                    type="radio"
                    name="as"
                    class="hidden"
                    checked={as === each}
                    onChange={() => look({ as: each })}
                  />
                  {each === 'picture' ? 'Heatmap' : 'Numbers'}
                </label>
              ))}
            </div>
            <Progress />
          </div>
          {as === 'picture' ? <Picture info={info} /> : <Grid info={info} />}
          {as === 'picture' && <Hover info={info} />}
          <Legend />
          <Pins pins={now.pins} shown={info.id} />
          <Statistics info={info} />
        </>
      )}
    </>
  );
}

function Progress(): JSX.Element | null {
  const now = progress.value;
  if (!now) return null;
  const done = Math.round(now.done * 100);
  return (
    <span class="progress">
      <progress value={done} max={100} aria-label={now.what} />
      <span class="figures muted">
        {now.what}: {done} %
      </span>
      {state.value?.file && (
        <button type="button" class="link" onClick={() => post({ type: 'cancel' })}>
          Cancel
        </button>
      )}
    </span>
  );
}
