// The document of the inspector's page, in the side bar and in the editor of tensor files.
import { randomBytes } from 'node:crypto';
import * as vscode from 'vscode';

export function inspectorPage(
  webview: vscode.Webview,
  extension: vscode.Uri,
  place: 'view' | 'editor',
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
  return `<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta http-equiv="Content-Security-Policy" content="${policy}">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <link rel="stylesheet" href="${asset('inspector.css')}">
  <title>Tensor Inspector</title>
</head>
<body data-place="${place}">
  <div id="root"></div>
  <script nonce="${nonce}" src="${asset('inspector.js')}"></script>
</body>
</html>`;
}
