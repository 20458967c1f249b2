// What coding assistants may call: check, lines, fix and explain, each with a small structured result.
import { tensorName } from '../engine/graph.ts';
import { type Cause, type Report, summaryOf } from '../compare/report.ts';
import { resolveName } from '../formats/nodeNames.ts';
import { placeText } from '../lines/recorded/place.ts';
import { verifiedWords } from '../lines/repair/fix.ts';
import type { LinesResult } from '../lines/tell/result.ts';
import { checkTrace, whyUnaligned } from './check.ts';
import { explainNode } from './explain.ts';
import { runLines, writeFix } from './linesRun.ts';
import { InputError, openSetupFile } from './support.ts';

export interface AgentTool {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  /** JSON Schema of an object. */
  readonly inputSchema: {
    readonly type: 'object';
    readonly properties: Readonly<Record<string, object>>;
    readonly required: readonly string[];
    readonly additionalProperties: false;
  };
  /** Whether it never changes a file, whatever it is called with. */
  readonly readOnly: boolean;
  /** Throws InputError, whose message is one line. */
  call(input: Input): Promise<AgentAnswer>;
}

export interface AgentAnswer {
  readonly text: string;
  readonly structured: Readonly<Record<string, unknown>>;
}

export type Input = Readonly<Record<string, unknown>>;

/** Lines and nodes that are told of one by one; more are counted. */
const MOST = 20;

const FILE = { type: 'string', description: 'Python program or notebook, absolute or relative' };
const MEANT = { type: 'string', description: '*.attention.json: what was meant' };
const SETUP = {
  type: 'string',
  description: '*.attention.json: what was meant; without it the setup is inferred',
};
const FUNCTION = { type: 'string', description: 'the function that computes it: "MHA.forward"' };
const ARGS = {
  type: 'array',
  items: { type: 'string' },
  description: 'command line arguments of the program',
};

const text = (input: Input, key: string): string | undefined => {
  const value = input[key];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string')
    throw new InputError(`${key}: found ${typeof value}, expected text`);
  return value;
};

function needed(input: Input, key: string): string {
  const value = text(input, key);
  if (value === undefined) throw new InputError(`${key}: nothing was given, expected text`);
  return value;
}

function list(input: Input, key: string): string[] {
  const value = input[key] ?? [];
  if (!Array.isArray(value) || !value.every((each) => typeof each === 'string'))
    throw new InputError(`${key}: expected a list of texts`);
  return value;
}

function flag(input: Input, key: string): boolean {
  const value = input[key] ?? false;
  if (typeof value !== 'boolean')
    throw new InputError(`${key}: found ${typeof value}, expected true or false`);
  return value;
}

const shortCause = ({
  id,
  title,
  node,
  kind,
  why,
  wrong,
  right,
  numpy,
  pytorch,
}: Cause): object => ({
  ...{ id, title, node: tensorName(node, kind), why, wrong, right, numpy, pytorch },
});

const nameOf = (at: { node: string | null; kind: string }): string =>
  at.node === null
    ? 'a tensor'
    : tensorName(at.node, at.kind === 'gradient' ? 'gradient' : 'value');

async function reportOf(input: Input): Promise<Report> {
  const setup = needed(input, 'setup');
  const trace = text(input, 'trace') ?? null;
  const report = await checkTrace(await openSetupFile(setup), setup, trace);
  if (report.verdict === 'unaligned')
    throw new InputError(`${trace ?? setup}: ${whyUnaligned(report)}`);
  return report;
}

async function check(input: Input): Promise<AgentAnswer> {
  const report = await reportOf(input);
  const { verdict, first, nodes, causes, given, compared } = report;
  const wrong = nodes.filter(({ status }) => status !== 'match' && status !== 'missing');
  const [cause] = causes;
  const said = [
    `${summaryOf(report)}.`,
    ...(first ? [`First wrong: ${nameOf(first)}.`] : []),
    ...(cause ? [`${cause.title}: ${cause.why}`] : []),
    ...(first && !cause ? ['The cause is unknown.'] : []),
  ];
  return {
    text: said.join(' '),
    structured: {
      ...{ verdict, first: first && nameOf(first), given, compared },
      notRight: wrong.slice(0, MOST).map(({ maxAbs, tolerance, status, note, ...at }) => ({
        ...{ tensor: nameOf(at), status, maxAbs, tolerance, note },
      })),
      causes: causes.map(shortCause),
    },
  };
}

/** What of a result an assistant goes on with: no tensors, no line that is right. */
function shortLines({ verdict, first, lines, causes, inferred, notes, notShown }: LinesResult): {
  readonly [key: string]: unknown;
} {
  const wrong = lines.filter(({ status }) => status === 'diverges' || status === 'consequence');
  const right = lines.filter(({ status, kind }) => status === 'match' && kind !== 'other');
  return {
    ...{ verdict, first },
    wrong: wrong.slice(0, MOST).map(({ file, cell, line, name, note, status, ...at }) => ({
      ...{
        file,
        ...(cell !== undefined && { cell }),
        line,
        name,
        computes: nameOf(at),
        status,
        note,
      },
    })),
    right: right.length,
    causes: causes.map(shortCause),
    guessed: inferred.filter(({ sure }) => !sure).map(({ entry, from }) => ({ entry, from })),
    ...{ notes, notShown },
  };
}

function saidOf(
  { verdict, first, causes, known, lines, notes, notShown }: LinesResult,
  setup: string | undefined,
): string {
  if (!first) {
    const hidden = notShown.map(({ because, hides }) => `${because}: ${hides}`).join('; ');
    const against = setup === undefined ? ' for the attention that the program seems to mean' : '';
    return verdict === 'match'
      ? `All that was computed is right${against}.${hidden && ` Not shown by this run: ${hidden}.`}`
      : 'Something is wrong, and no one line can be named.';
  }
  const place = placeText(first);
  const [cause] = causes;
  const told = lines.find(({ status, line }) => status === 'diverges' && line === first.line);
  const open = [told?.note, known].filter(Boolean).join('; ');
  const why = cause
    ? `${cause.title}: ${cause.why}`
    : `${told?.note ? '' : 'The cause is unknown. '}${open}`;
  // Where the program failed.
  const ended = notes.find((note) => note.startsWith('the program ended'));
  if (first.node === null && !cause && ended) return `First wrong: ${place}. ${ended}.`;
  return `First wrong: ${place}, which computes ${nameOf(first)}. ${why}`;
}

function programOf(input: Input) {
  const [setup, name] = [text(input, 'setup'), text(input, 'function')];
  return {
    file: needed(input, 'file'),
    ...(input['args'] !== undefined && { args: list(input, 'args') }),
    ...(setup !== undefined && { setup }),
    ...(name !== undefined && { function: name }),
  };
}

async function linesOfProgram(input: Input): Promise<AgentAnswer> {
  const { result, why } = await runLines({ ...programOf(input), fix: false });
  if (why !== null) throw new InputError(why);
  return { text: saidOf(result, text(input, 'setup')), structured: shortLines(result) };
}

async function fix(input: Input): Promise<AgentAnswer> {
  const apply = flag(input, 'apply');
  const program = programOf(input);
  const { result, fixes, why } = await runLines({ ...program, fix: true });
  if (why !== null) throw new InputError(why);
  const applied = apply && fixes.length > 0;
  if (applied) await writeFix(program.file, fixes);
  const [first] = fixes;
  const [cause] = result.causes;
  const what = cause ? `${cause.title}\n` : '';
  const said = first
    ? `${applied ? 'Written' : 'Not written'}: ${first.file}:${first.line}, verified on ${verifiedWords(first.verified)}.\n${what}${first.diff}`
    : result.verdict === 'match'
      ? 'Nothing to mend: all that was computed is right.'
      : `No edit was found that makes the whole program right. ${saidOf(result, program.setup)}`;
  const { verdict, first: place } = result;
  return {
    text: said,
    structured: { verdict, first: place, fixes: result.fixes, applied },
  };
}

/** Of a program's first mistake. Throws InputError where nothing can be said of it. */
async function causesOf(input: Input): Promise<readonly Cause[]> {
  const { result, why } = await runLines({ ...programOf(input), fix: false });
  if (why !== null) throw new InputError(why);
  return result.causes;
}

async function explain(input: Input): Promise<AgentAnswer> {
  const id = text(input, 'cause');
  if (id === undefined) {
    const named = needed(input, 'node');
    const resolved = resolveName(named);
    if (!resolved) throw new InputError(`node: found ${named}, expected a node such as P or dQ`);
    const setup = text(input, 'setup');
    const graph = setup === undefined ? null : (await openSetupFile(setup, 'no run')).graph;
    return explainNode(graph, resolved.node);
  }
  const file = text(input, 'file');
  const causes = file === undefined ? (await reportOf(input)).causes : await causesOf(input);
  const cause = causes.find((each) => each.id === id);
  if (!cause) {
    const found = causes.map((each) => each.id).join(', ') || 'none';
    throw new InputError(`cause: found ${id}, expected one that these numbers have: ${found}`);
  }
  const setup = text(input, 'setup');
  const graph = setup === undefined ? null : (await openSetupFile(setup, 'no run')).graph;
  const node = explainNode(graph, cause.node);
  const { title, why, wrong, right, numpy, pytorch } = cause;
  return {
    text: `${title}: ${why}\nwrong: ${wrong}\nright: ${right}\nNumPy: ${numpy}\nPyTorch: ${pytorch}\n${node.text}`,
    structured: { cause: shortCause(cause), ...node.structured },
  };
}

const schema = (
  properties: Readonly<Record<string, object>>,
  required: readonly string[] = [],
): AgentTool['inputSchema'] => ({
  ...{ type: 'object', properties, required, additionalProperties: false },
});

const TRACE = {
  type: 'string',
  description: '.npz, .safetensors, .json, .npy or a folder: the tensors that were logged',
};
const PROGRAM = { file: FILE, setup: SETUP, function: FUNCTION, args: ARGS };

export const AGENT_TOOLS: readonly AgentTool[] = [
  {
    name: 'check',
    title: 'Check logged tensors of attention',
    description:
      'Compares logged tensors of an attention implementation (values and gradients) with the reference of a setup file: the first wrong node and its cause.',
    inputSchema: schema({ setup: MEANT, trace: TRACE }, ['setup', 'trace']),
    readOnly: true,
    call: check,
  },
  {
    name: 'lines',
    title: 'Find the wrong line of an attention program',
    description:
      'Runs a Python program with attention written by hand (NumPy or PyTorch, forward and backward), unchanged, and names the first line that computes something wrong, and why. After a match it says which mistakes that run could not have shown.',
    inputSchema: schema(PROGRAM, ['file']),
    readOnly: true,
    call: linesOfProgram,
  },
  {
    name: 'fix',
    title: 'Find a proven fix of an attention program',
    description:
      'Looks for the shortest edit of the program that makes every tensor right, proven by running the edited program again with other seeds and sizes. Gives diffs; writes the first to the file only with apply: true. May take a minute.',
    inputSchema: schema(
      {
        ...PROGRAM,
        apply: { type: 'boolean', default: false, description: 'write the first fix' },
      },
      ['file'],
    ),
    readOnly: false,
    call: fix,
  },
  {
    name: 'explain',
    title: 'Explain a node or a cause',
    description:
      'Of a node (P, dS, W_Q ...): what it is, its formula, and what each operand receives in the backward pass (VJP). Of a cause that check or lines found (with the same setup and trace, or file): the wrong and the right formula and the remedy.',
    inputSchema: schema({
      node: { type: 'string', description: 'a node or its gradient: "P", "dS"' },
      cause: { type: 'string', description: 'the id of a cause' },
      ...{ ...PROGRAM, trace: TRACE },
    }),
    readOnly: true,
    call: explain,
  },
];
