// Which tensor is shown: of the walk by node and kind, its name, axes and number type, and what can be done with it.
import type { JSX } from 'preact';
import type {
  InspectorState,
  TensorInfo,
  WalkKind,
  WalkState,
} from '../../src/inspect/messages.ts';
import { Actions } from './Actions.tsx';
import { post } from './door.ts';

const kinds: Readonly<Record<WalkKind, string>> = {
  value: 'Value',
  gradient: 'Gradient',
  contribution: 'Contribution',
  mineValue: 'Your value',
  mineGradient: 'Your gradient',
};

export function WalkHeader({ walk }: { readonly walk: WalkState }): JSX.Element {
  const choose = (event: JSX.TargetedEvent<HTMLSelectElement>): void =>
    post({ type: 'hold', node: event.currentTarget.value || null });
  const isComparing = walk.kinds.some((kind) => kind.startsWith('mine'));
  const names = (Object.entries(kinds) as [WalkKind, string][]).filter(
    ([kind]) => isComparing || !kind.startsWith('mine'),
  );
  return (
    <div class="walk">
      <label class="field">
        <span class="hidden">Node</span>
        <select value={walk.held ? walk.node : ''} onChange={choose}>
          <option value="">{`Follow the walk (${plain(walk.node)})`}</option>
          {walk.nodes.map((id) => (
            <option key={id} value={id}>
              {plain(id)}
            </option>
          ))}
        </select>
      </label>
      <div class="tabs" role="radiogroup" aria-label="Which tensor">
        {names.map(([kind, name]) => (
          <label key={kind} class={walk.kind === kind ? 'tab chosen' : 'tab'}>
            <input
              type="radio"
              name="kind"
              class="hidden"
              checked={walk.kind === kind}
              disabled={!walk.kinds.includes(kind)}
              onChange={() => post({ type: 'kind', kind })}
            />
            {name}
          </label>
        ))}
      </div>
    </div>
  );
}

const plain = (id: string): string => id.replace('xPrime', 'x′').replace('xValue', 'x″');

export function TensorHeader({
  info,
  state,
}: {
  readonly info: TensorInfo;
  readonly state: InspectorState;
}): JSX.Element {
  const { against, comparable } = state;
  const compare = (event: JSX.TargetedEvent<HTMLSelectElement>): void =>
    post({ type: 'against', tensor: event.currentTarget.value || null });
  return (
    <header class="tensor">
      <h1 title={info.name}>{info.name}</h1>
      <p class="about">
        <span class="muted">{info.note}</span>
        <span class="figures axes">{axesText(info)}</span>
        <span class="muted">{info.dtype}</span>
      </p>
      <div class="tools">
        {comparable.length > 0 && (
          <label class="field">
            <span class="hidden">Subtract another tensor of this shape</span>
            <select
              value={against ?? ''}
              onChange={compare}
              title="Subtract another tensor of this shape"
            >
              <option value="">minus …</option>
              {comparable.map(({ id, name }) => (
                <option key={id} value={id}>
                  − {name}
                </option>
              ))}
            </select>
          </label>
        )}
        <Actions info={info} state={state} />
      </div>
    </header>
  );
}

/** "query j 3 × key i 4"; "scalar". */
const axesText = ({ axes }: TensorInfo): string =>
  axes.length === 0 ? 'scalar' : axes.map(({ name, length }) => `${name}: ${length}`).join(' × ');
