// "Compare My Variable...": reads one tensor of the paused program, when asked, and holds it against the reference.
import * as vscode from 'vscode';
import { setupAmong } from '../compare/choose.ts';
import type { Panels } from '../panels.ts';
import { withProgress } from '../progress.ts';
import type { SetupModels } from '../setups.ts';
import { isTrusted } from '../trust.ts';
import { editedFile } from '../uris.ts';
import { type Candidate, candidatesFor } from './candidates.ts';
import { pausedProgram } from './frame.ts';
import { ProgramSource } from './programSource.ts';
import { ProgramReader } from './read.ts';
import { bytesOf, describeTensor, type ProgramTensor } from './tensor.ts';

const UNTRUSTED =
  'Reading the variables of a program evaluates expressions in it, which takes a trusted workspace.';

/** What the Variables view gives its menu's commands. */
interface VariableInMenu {
  readonly variable: { readonly name: string; readonly evaluateName?: string };
}

const expressionIn = (given: unknown): string | null => {
  const { variable } = Object(given) as Partial<VariableInMenu>;
  return variable ? (variable.evaluateName ?? variable.name) : null;
};

/** Given is the variable, by the Variables view's menu, or the setup, or nothing. Never rejects. */
export async function compareVariable(
  panels: Panels,
  models: SetupModels,
  given: unknown,
): Promise<void> {
  if (!isTrusted(UNTRUSTED)) return;
  try {
    await compareWith(panels, models, given);
  } catch (error) {
    if (!(error instanceof vscode.CancellationError))
      void vscode.window.showErrorMessage((error as Error).message);
  }
}

async function compareWith(panels: Panels, models: SetupModels, given: unknown): Promise<void> {
  const expression = expressionIn(given);
  const { session, language, line, read: readFrame } = await pausedProgram();
  const setup = await setupAmong(given, panels.active()?.setup, editedFile());
  if (!setup) return;
  const tensors = await withProgress('Looking for tensors', (token) =>
    readFrame(token, (frame) => {
      const reader = new ProgramReader(frame, language);
      return expression === null ? reader.list() : reader.describe(expression);
    }),
  );
  const tensor = await chooseTensor(tensors, session.name);
  const node = tensor && (await chooseNode(tensor, models, setup));
  if (!tensor || !node) return;
  const whole = bytesOf(tensor);
  const title = `Reading ${tensor.expression}, ${describeTensor(tensor)}`;
  const read = await withProgress(title, (token, progress) =>
    readFrame(token, (frame) =>
      new ProgramReader(frame, language).read(tensor, (bytes) =>
        progress.report({ increment: (100 * bytes) / whole }),
      ),
    ),
  );
  const panel = panels.show(setup);
  const source =
    panel.source instanceof ProgramSource && panel.source.program === session.id
      ? panel.source
      : new ProgramSource(session.id, session.name);
  const { expression: name, dtype } = tensor;
  source.set(node.name, { name, dtype, tensor: read, ...(line && { line }) });
  if (panel.source !== source) await panel.compareWith(source);
  panel.goTo(node.node, node.kind);
}

async function chooseTensor(
  tensors: readonly ProgramTensor[],
  program: string,
): Promise<ProgramTensor | undefined> {
  if (tensors.length === 0) {
    throw new Error(
      `In the selected frame of ${program} no variable is a tensor, an array or a list of numbers.`,
    );
  }
  if (tensors.length === 1) return tensors[0];
  const items = tensors.map((tensor) => ({
    label: tensor.expression,
    description: describeTensor(tensor),
    tensor,
  }));
  const title = 'Compare My Variable: which one?';
  const choice = await vscode.window.showQuickPick(items, { title, matchOnDescription: true });
  return choice?.tensor;
}

async function chooseNode(
  tensor: ProgramTensor,
  models: SetupModels,
  uri: vscode.Uri,
): Promise<Candidate | undefined> {
  const { model, release } = models.acquire(uri);
  try {
    const { setup, graph } = await model.opened();
    if (!setup || !graph)
      throw new Error('The setup cannot be computed, so there is no reference.');
    const items = candidatesFor(tensor, graph, setup.names).map((candidate) => ({
      label: candidate.name,
      description: [candidate.shape, candidate.why].filter(Boolean).join(', '),
      candidate,
    }));
    const title = `Which node is ${tensor.expression}, ${describeTensor(tensor)}?`;
    return (await vscode.window.showQuickPick(items, { title }))?.candidate;
  } finally {
    release.dispose();
  }
}
