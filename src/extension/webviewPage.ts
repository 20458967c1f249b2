// The document of every webview: one script and one style sheet of dist/, both in the text itself, and nothing but its
// fonts may load: every file that a webview asks for comes by way of VS Code's processes.
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import * as vscode from 'vscode';

export interface WebviewPage {
  readonly title: string;
  /** The bundle in dist/: NAME.js and NAME.css. */
  readonly bundle: 'webview' | 'inspector';
  /** What the page is told in data-NAME of its body; encoded as a part of an address. */
  readonly data: Readonly<Record<string, string>>;
}

const texts = new Map<string, string>();

/** A file of dist/, read once. */
function textOf(file: vscode.Uri): string {
  const text = texts.get(file.fsPath) ?? readFileSync(file.fsPath, 'utf8');
  texts.set(file.fsPath, text);
  return text;
}

export function webviewPage(
  webview: vscode.Webview,
  extension: vscode.Uri,
  { title, bundle, data }: WebviewPage,
): string {
  const nonce = randomBytes(16).toString('base64');
  const asset = (name: string): vscode.Uri => vscode.Uri.joinPath(extension, 'dist', name);
  const css = textOf(asset(`${bundle}.css`)).replaceAll(
    /url\("\.\/([\w.-]+)"\)/g,
    (_, font: string) => `url("${webview.asWebviewUri(asset(font)).toString()}")`,
  );
  const policy = [
    "default-src 'none'",
    `style-src ${webview.cspSource} 'unsafe-inline'`,
    `script-src 'nonce-${nonce}'`,
    `font-src ${webview.cspSource}`,
  ].join('; ');
  const attributes = Object.entries(data).map(
    ([name, value]) => ` data-${name}="${encodeURIComponent(value)}"`,
  );
  return `<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta http-equiv="Content-Security-Policy" content="${policy}">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <style>${css}</style>
  <title>${title}</title>
</head>
<body${attributes.join('')}>
  <div id="root"></div>
  <script nonce="${nonce}">${textOf(asset(`${bundle}.js`))}</script>
</body>
</html>`;
}
