// Names from the addresses of files.
import type * as vscode from 'vscode';

/** "mine.npz" for ".../mine.npz". */
export const fileName = ({ path }: vscode.Uri): string => path.replace(/^.*\//, '');
