// In a node's card: whether the person's value and gradient of this node are right.
import type { JSX } from 'preact';
import type { Status } from '../../src/compare/report.ts';
import { tensorName } from '../../src/engine/graph.ts';
import { comparison } from '../state.ts';

const signs: Readonly<Record<Status, string>> = {
  match: '✓',
  layout: '✓',
  diverges: '✗',
  consequence: '↳',
  missing: '',
};

export const statusWords: Readonly<Record<Status, string>> = {
  match: 'right',
  layout: 'right, in another form',
  diverges: 'wrong',
  consequence: 'off, but only because of what is wrong before it',
  missing: 'not given',
};

export function Verdicts({ node }: { readonly node: string }): JSX.Element | null {
  const report = comparison.value?.report;
  // Numbers of another setup say nothing of this one's nodes.
  if (!report || report.verdict === 'unaligned') return null;
  const given = report.nodes.filter((each) => each.node === node && each.status !== 'missing');
  if (given.length === 0) return null;
  return (
    <span class="verdicts">
      {given.map(({ kind, status, note }) => {
        const name = tensorName(node, kind);
        return (
          <span
            key={kind}
            class={`verdict ${status}`}
            title={`your ${name}: ${statusWords[status]}${note ? ` (${note})` : ''}`}
          >
            {kind === 'value' ? '' : 'd'}
            {signs[status]}
          </span>
        );
      })}
    </span>
  );
}
