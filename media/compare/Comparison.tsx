// The person's tensors against the reference: what is wrong first, and why.
import type { JSX } from 'preact';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import {
  type Cause,
  countOf,
  isMisfit,
  precisionBrief,
  precisionText,
  type Report,
  summaryOf,
} from '../../src/compare/report.ts';
import { CHANGED, markDifference } from '../../src/engine/mathDifference.ts';
import { toMath } from '../../src/engine/mathml.ts';
import { MathML, type MarkSets } from '../formula/MathML.tsx';
import { Name } from '../names.tsx';
import { request } from '../requests.ts';
import { comparison, explained } from '../state.ts';
import { post } from '../vscode.ts';
import { statusWords } from './Verdicts.tsx';

export function Comparison(): JSX.Element | null {
  const shown = comparison.value;
  if (!shown) return null;
  const { trace, report, problem } = shown;
  return (
    <section class="comparison" aria-label="Comparison with your tensors">
      <div class="comparison-head">
        <h2>{trace}</h2>
        {report && <Verdict {...report} />}
      </div>
      <button
        type="button"
        class="comparison-close"
        aria-label="Close"
        title="Close the comparison"
        onClick={() => post({ type: 'closeComparison' })}
      >
        <span aria-hidden="true">✕</span>
      </button>
      {problem && <p class="comparison-problem">{problem}</p>}
      {report?.causes.map((cause, n) => (
        <CauseDetails
          key={`${cause.id} ${cause.node} ${cause.kind}`}
          cause={cause}
          mark={String(n)}
        />
      ))}
      {report?.verdict === 'diverges' && report.causes.length === 0 && <Unknown {...report} />}
      {report && <NotCompared {...report} />}
    </section>
  );
}

function Verdict(report: Report): JSX.Element {
  const { first, causes, precision } = report;
  const summary = [summaryOf(report), ...(precision ? [precisionBrief(precision)] : [])].join('. ');
  const exact = precision ? precisionText(precision) : undefined;
  if (!first) return <p title={exact}>{summary}.</p>;
  const cause = causes.at(0);
  const isElsewhere = cause && (cause.node !== first.node || cause.kind !== first.kind);
  return (
    <p>
      First wrong:{' '}
      <strong>
        <Name id={first.node} gradient={first.kind === 'gradient'} />
      </strong>
      {isElsewhere && (
        <>
          , by a mistake at{' '}
          <strong>
            <Name id={cause.node} gradient={cause.kind === 'gradient'} />
          </strong>
        </>
      )}{' '}
      <button
        type="button"
        class="link"
        onClick={() => request({ type: 'goToNode', node: first.node, kind: first.kind })}
      >
        go there
      </button>{' '}
      <span class="quiet" title={exact}>
        {summary}.
      </span>
    </p>
  );
}

/** What was given and could not be held against a node, and why. */
function NotCompared({ nodes, unaligned }: Report): JSX.Element | null {
  const odd = nodes.filter(isMisfit);
  if (odd.length + unaligned.length === 0) return null;
  return (
    <details class="cause" open={odd.length > 0}>
      <summary>{countOf(odd.length + unaligned.length, 'tensor')} not compared</summary>
      <ul>
        {odd.map(({ node, kind, note }) => (
          <li key={`${node} ${kind}`}>
            <Name id={node} gradient={kind === 'gradient'} />: {note}
          </li>
        ))}
        {unaligned.map(({ name, reason }) => (
          <li key={name}>
            {name}: {reason}
          </li>
        ))}
      </ul>
    </details>
  );
}

/** Only in one of the two formulas. */
const CHANGES: MarkSets = { marked: new Set([CHANGED]), linked: new Set() };

function CauseDetails({
  cause,
  mark,
}: {
  readonly cause: Cause;
  readonly mark: string;
}): JSX.Element {
  const { title, why, wrong, right, formulas, numpy, pytorch, residual, runnerUp } = cause;
  const written = useMemo(
    () => formulas && markDifference(toMath(formulas.wrong), toMath(formulas.right)),
    [formulas],
  );
  const details = useRef<HTMLDetailsElement>(null);
  const asked = explained.value;
  useEffect(() => {
    if (asked.cause !== mark || !details.current) return;
    details.current.open = true;
    details.current.querySelector('summary')?.focus();
  }, [asked, mark]);
  return (
    <details class="cause" ref={details}>
      <summary>{title}</summary>
      <p>{why}</p>
      <dl>
        <dt>yours</dt>
        <dd class="yours">
          {written ? <MathML node={written[0]} marks={CHANGES} /> : <code>{wrong}</code>}
        </dd>
        <dt>right</dt>
        <dd>{written ? <MathML node={written[1]} marks={CHANGES} /> : <code>{right}</code>}</dd>
        <dt>NumPy</dt>
        <dd>
          <code>{numpy}</code>
        </dd>
        <dt>PyTorch</dt>
        <dd>
          <code>{pytorch}</code>
        </dd>
        <dt>evidence</dt>
        <dd>
          this reproduces your tensor to {residual.toExponential(1)} of its largest entry
          {runnerUp &&
            `; the next best, “${runnerUp.title}”, to ${runnerUp.residual.toExponential(1)}`}
        </dd>
      </dl>
    </details>
  );
}

/** No hypothesis reproduces the tensor: what is known about it. */
function Unknown({ nodes }: Report): JSX.Element | null {
  const wrong = nodes.filter((each) => each.status === 'diverges' && !isMisfit(each));
  if (wrong.length === 0) return null;
  return (
    <div class="cause">
      <p>No known mistake gives these numbers. What is known:</p>
      <ul>
        {wrong.map(({ node, kind, note, status }) => (
          <li key={`${node} ${kind}`}>
            <Name id={node} gradient={kind === 'gradient'} />: {note || statusWords[status]}
          </li>
        ))}
      </ul>
    </div>
  );
}
