// The selected frame of the program that is paused in VS Code's debugger.
import * as vscode from 'vscode';
import type { CodeLine } from '../../formats/namedTensor.ts';
import { javascript } from './javascript.ts';
import { python } from './python.ts';
import type { Language, PausedFrame } from './tensor.ts';

const LANGUAGES: readonly (readonly [types: RegExp, language: Language])[] = [
  [/^(debugpy|python)$/, python],
  [/^(pwa-)?(node|chrome|msedge|extensionHost)$|^node-terminal$/, javascript],
];

const NOT_PAUSED =
  'No program is paused. Set a breakpoint where your tensors are computed, start debugging, and try again there.';

const GONE_ON = 'The program went on while it was read. Pause it again to compare.';

type Request = <T>(command: string, words: object) => Promise<T>;

/** The part of the Debug Adapter Protocol's answers that is used here. */
interface Scope {
  readonly variablesReference: number;
  readonly expensive: boolean;
}

interface Paused {
  readonly session: vscode.DebugSession;
  readonly language: Language;
  /** Where the selected frame is; null where the debugger names no file. */
  readonly line: CodeLine | null;
  /**
   * Does `work` with the frame until `token` is cancelled or the program goes on: a tensor that the next steps
   * change is never read in parts.
   */
  readonly read: <T>(
    token: vscode.CancellationToken,
    work: (frame: PausedFrame) => Promise<T>,
  ) => Promise<T>;
}

/** Throws an Error that says what to do where no program is paused, or none whose language is known. */
export async function pausedProgram(): Promise<Paused> {
  const item = vscode.debug.activeStackItem;
  if (!item) throw new Error(NOT_PAUSED);
  const { session } = item;
  const language = LANGUAGES.find(([types]) => types.test(session.type))?.[1];
  if (!language) {
    throw new Error(
      `${session.name} is a program of type "${session.type}"; the variables of Python and JavaScript programs can be compared.`,
    );
  }
  const frames = await framesOf(session, item.threadId);
  const frame = frames.find((each) => !('frameId' in item) || each.id === item.frameId);
  const frameId = 'frameId' in item ? item.frameId : frame?.id;
  if (frameId === undefined) throw new Error(NOT_PAUSED);
  const file = frame?.source?.path && pathOf(frame.source.path);
  return {
    session,
    language,
    line: frame && file ? { file, line: frame.line } : null,
    read: (token, work) =>
      whilePaused({ session, threadId: item.threadId, frameId, frames }, token, work),
  };
}

/** VS Code makes addresses of the paths that a debug adapter gives: file:///home/me/train.py. */
const pathOf = (source: string): string =>
  /^[a-z][\w+.-]*:\/\//i.test(source) ? vscode.Uri.parse(source).fsPath : source;

interface StackFrame {
  readonly id: number;
  readonly line: number;
  readonly source?: { readonly path?: string };
}

/** Most frames that are asked for: the selected one is seldom deeper. */
const MOST_FRAMES = 200;

async function framesOf(
  session: vscode.DebugSession,
  threadId: number,
): Promise<readonly StackFrame[]> {
  const words = { threadId, startFrame: 0, levels: MOST_FRAMES };
  const { stackFrames } = (await session.customRequest('stackTrace', words)) as {
    readonly stackFrames: readonly StackFrame[];
  };
  return stackFrames;
}

/** Where a program is paused: the selected frame, and the whole stack as it was then. */
interface Pause {
  readonly session: vscode.DebugSession;
  readonly threadId: number;
  readonly frameId: number;
  readonly frames: readonly StackFrame[];
}

/**
 * Whether the program has left `pause`, as selections of the call stack tell. While it runs, its thread alone is
 * selected; a short step is over before that is told, and then its new frame is all that is seen: the same frame
 * selected again, or another one in a stack that has changed.
 */
function departure({ session, threadId, frameId, frames }: Pause) {
  let selected = frameId;
  return async (item: typeof vscode.debug.activeStackItem): Promise<boolean> => {
    if (!item) return true;
    if (item.session.id !== session.id) return false;
    if (!('frameId' in item) || item.frameId === selected) return true;
    selected = item.frameId;
    const now = await framesOf(session, threadId).catch(() => []);
    return (
      now.length !== frames.length ||
      now.some(({ id, line }, at) => id !== frames[at].id || line !== frames[at].line)
    );
  };
}

async function whilePaused<T>(
  pause: Pause,
  token: vscode.CancellationToken,
  work: (frame: PausedFrame) => Promise<T>,
): Promise<T> {
  const { session, frameId } = pause;
  const hasLeft = departure(pause);
  let why: Error | null = null;
  let end: (error: Error) => void = () => undefined;
  const ended = new Promise<never>((_, reject) => {
    end = (error) => {
      why = error;
      reject(error);
    };
  });
  const subscriptions = [
    token.onCancellationRequested(() => end(new vscode.CancellationError())),
    vscode.debug.onDidChangeActiveStackItem(async (item) => {
      if (await hasLeft(item)) end(new Error(GONE_ON));
    }),
  ];
  const request: Request = async (command, words) => {
    if (why) throw why;
    return session.customRequest(command, words) as Promise<never>;
  };
  try {
    return await Promise.race([ended, work(frameOf(request, frameId))]);
  } finally {
    vscode.Disposable.from(...subscriptions).dispose();
  }
}

function frameOf(request: Request, frameId: number): PausedFrame {
  const namesIn = async ({ variablesReference }: Scope): Promise<string[]> => {
    const { variables } = await request<{ variables: readonly { readonly name: string }[] }>(
      'variables',
      { variablesReference },
    );
    return variables.map(({ name }) => name);
  };
  return {
    // Of the contexts, this one alone gives long texts whole.
    evaluate: async (expression) => {
      const words = { expression, frameId, context: 'clipboard' };
      return (await request<{ result: string }>('evaluate', words)).result;
    },
    variables: async () => {
      const { scopes } = await request<{ scopes: readonly Scope[] }>('scopes', { frameId });
      const near = scopes.filter(({ expensive }) => !expensive);
      return (await Promise.all(near.map(namesIn))).flat();
    },
  };
}
