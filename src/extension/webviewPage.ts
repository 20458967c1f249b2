// The document of every webview: one script and one style sheet of dist/, and nothing else may load.
import { randomBytes } from 'node:crypto';
import * as vscode from 'vscode';

export interface WebviewPage {
  readonly title: string;
  /** The bundle in dist/: NAME.js and NAME.css. */
  readonly bundle: 'webview' | 'inspector';
  /** What the page is told in data-NAME of its body; encoded as a part of an address. */
  readonly data: Readonly<Record<string, string>>;
}

export function webviewPage(
  webview: vscode.Webview,
  extension: vscode.Uri,
  { title, bundle, data }: WebviewPage,
): string {
  const nonce = randomBytes(16).toString('base64');
  const asset = (name: string): string =>
    webview.asWebviewUri(vscode.Uri.joinPath(extension, 'dist', name)).toString();
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
  <link rel="stylesheet" href="${asset(`${bundle}.css`)}">
  <title>${title}</title>
</head>
<body${attributes.join('')}>
  <div id="root"></div>
  <script nonce="${nonce}" src="${asset(`${bundle}.js`)}"></script>
</body>
</html>`;
}
