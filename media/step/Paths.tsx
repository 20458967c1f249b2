// By which paths a gradient came: each path's share of the whole, and its part of the selected entry.
import type { JSX } from 'preact';
import type { PathView } from '../../src/stepper/stepView.ts';
import { Name, plainName } from '../names.tsx';
import { formatTogether } from '../numbers.ts';
import { EntryName } from './parts.tsx';
import { pathWords } from '../../src/engine/paths.ts';

export function Paths({
  paths,
  node,
  index,
}: {
  readonly paths: readonly PathView[];
  readonly node: string;
  readonly index: readonly number[];
}): JSX.Element {
  const entries = formatTogether(...paths.map(({ entry }) => entry));
  const percent = (share: number): string => `${Math.round(share * 100)} %`;
  return (
    <div class="block">
      <h2 class="section-title">
        <span>
          Share of each path in <Name id={node} gradient />
        </span>
        <span class="hint">by norm</span>
      </h2>
      <div class="share-bar" aria-hidden="true">
        {paths.map(({ path, from, share, arrived }) => (
          <span
            key={`${path} ${from}`}
            class={`share ${path} ${arrived ? '' : 'missing'}`}
            style={{ flexGrow: Math.max(share, 0.001) }}
          />
        ))}
      </div>
      <table class="paths figures">
        <thead class="hidden">
          <tr>
            <th scope="col">path</th>
            <th scope="col">share</th>
            <th scope="col">part of the selected entry</th>
          </tr>
        </thead>
        <tbody>
          {paths.map(({ path, from, share, arrived }, n) => (
            <tr key={`${path} ${from}`} class={arrived ? '' : 'missing'}>
              <th scope="row">
                <i class={`swatch share ${path} ${arrived ? '' : 'missing'}`} aria-hidden="true" />
                {pathWords[path]}
                <span class="muted"> from {plainName(from)}</span>
              </th>
              <td class="number">{percent(share)}</td>
              <td class="number">
                <EntryName id={node} index={index} gradient /> {arrived ? '+=' : 'will get'}{' '}
                {entries[n]}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
