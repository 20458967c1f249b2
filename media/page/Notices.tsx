// What was noticed about the numbers (NaN, fully masked rows), and why the last edit cannot be computed.
import type { JSX } from 'preact';
import { Icon } from '../Icon.tsx';
import type { NodeOutline } from '../../src/stepper/runView.ts';
import { plainCaption } from '../names.tsx';
import { post } from '../vscode.ts';

function Sign({ warning }: { warning: boolean }): JSX.Element {
  return (
    <Icon>
      {warning ? <path d="M8 2.2L14.4 13.5H1.6z" /> : <circle cx="8" cy="8" r="6" />}
      <path d={warning ? 'M8 6.4v3.4' : 'M8 7.4v3.8'} />
      <circle cx="8" cy={warning ? 11.6 : 5.1} r="0.9" class="solid" />
    </Icon>
  );
}

export function Notices({
  messages,
  nodes,
}: {
  readonly messages: readonly string[];
  readonly nodes: readonly NodeOutline[];
}): JSX.Element | null {
  if (messages.length === 0) return null;
  return (
    <div class="bar notice" role="status">
      <Sign warning={false} />
      <ul>
        {messages.map((message) => (
          <li key={message}>{plainCaption(message, nodes)}</li>
        ))}
      </ul>
    </div>
  );
}

export function Problems({
  messages,
  stale,
}: {
  readonly messages: readonly string[];
  /** A picture is still shown, of the last setup that could be computed. */
  readonly stale: boolean;
}): JSX.Element | null {
  if (messages.length === 0) return null;
  return (
    <div class="bar problem" role="alert">
      <Sign warning />
      <div>
        <p>
          The setup cannot be computed{stale ? '; shown is the last one that could.' : '.'}{' '}
          <button type="button" class="link" onClick={() => post({ type: 'openSetup' })}>
            Open the setup
          </button>
        </p>
        <ul>
          {messages.map((message) => (
            <li key={message}>{message}</li>
          ))}
        </ul>
      </div>
    </div>
  );
}
