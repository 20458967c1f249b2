// Copies a tensor as text and saves it as a file, or says why that is not possible.
import * as vscode from 'vscode';
import { writeNpy } from '../../formats/npy.ts';
import type { Versioned } from '../../inspect/answers.ts';
import { MOST_AS_TEXT, type TextFormat, toText } from '../../inspect/exportText.ts';
import { planeOf, readRegion, type Slicing } from '../../inspect/plane.ts';
import { MOST_IN_MEMORY, type TensorSource, wholeTensor } from '../../inspect/source.ts';
import { withProgress } from '../progress.ts';
import { breather } from './breathe.ts';

const names: Readonly<Record<TextFormat, string>> = { json: 'JSON', numpy: 'NumPy', csv: 'CSV' };

const sizeOf = ({ entries }: TensorSource): string => entries.size.toLocaleString('en');

/** The whole tensor as JSON or NumPy, the drawn matrix as CSV; of tensors too large for text, the drawn matrix. */
export async function copyTensor(
  { source }: Versioned,
  name: string,
  format: TextFormat,
  slicing: Slicing,
): Promise<void> {
  const plane = planeOf(source, slicing);
  const isWhole = format !== 'csv' && source.entries.size <= MOST_AS_TEXT;
  if (!isWhole && plane.rows * plane.cols > MOST_AS_TEXT) {
    void vscode.window.showWarningMessage(
      `${name} has ${sizeOf(source)} entries, which is too much to copy as text. Save it as .npy instead.`,
    );
    return;
  }
  const breathe = breather(() => false);
  const tensor = isWhole
    ? await wholeTensor(source, breathe)
    : {
        shape: [plane.rows, plane.cols],
        data: await readRegion(source.entries, plane, {
          row: 0,
          col: 0,
          rows: plane.rows,
          cols: plane.cols,
        }),
      };
  await vscode.env.clipboard.writeText(toText(tensor, format));
  const what = isWhole || source.shape.length <= 2 ? name : `the drawn matrix of ${name}`;
  vscode.window.setStatusBarMessage(`Copied ${what} as ${names[format]}`, 3000);
}

/** A name that every file system takes. */
const fileName = (name: string): string =>
  name.replaceAll(/[^\w.-]+/g, '_').replaceAll(/^[._]+/g, '') || 'tensor';

async function target(
  name: string,
  extension: string,
  kind: string,
): Promise<vscode.Uri | undefined> {
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri;
  const file = `${fileName(name)}.${extension}`;
  return vscode.window.showSaveDialog({
    ...(folder && { defaultUri: vscode.Uri.joinPath(folder, file) }),
    filters: { [kind]: [extension] },
  });
}

/** The whole tensor, float64. */
export async function saveNpy({ source }: Versioned, name: string): Promise<void> {
  if (source.entries.size > MOST_IN_MEMORY) {
    void vscode.window.showWarningMessage(
      `${name} has ${sizeOf(source)} entries; at most ${MOST_IN_MEMORY.toLocaleString('en')} can be saved.`,
    );
    return;
  }
  const uri = await target(name, 'npy', 'NumPy array');
  if (!uri) return;
  await withProgress(`Saving ${name}`, async (token) => {
    const tensor = await wholeTensor(
      source,
      breather(() => token.isCancellationRequested),
    );
    await vscode.workspace.fs.writeFile(uri, writeNpy(tensor));
  });
}

export async function savePicture(
  name: string,
  format: 'png' | 'svg',
  data: ArrayBuffer,
): Promise<void> {
  const uri = await target(name, format, format.toUpperCase());
  if (uri) await vscode.workspace.fs.writeFile(uri, new Uint8Array(data));
}
