// The tools for coding assistants in VS Code: the same four as language-model tools and as an MCP server.
import * as vscode from 'vscode';
import { start } from '../process/ownProcess.ts';
import { pythonInterpreter } from './settings.ts';

const PROVIDER = 'attention.mcp';
/** In package.json, which has their schemas. */
const TOOLS = ['check', 'lines', 'fix', 'explain'];
/** Of one call, in milliseconds. */
const LIMIT = 5 * 60_000;

/** Newer than the oldest VS Code that this runs in: taken where it is there. */
interface McpApi {
  registerMcpServerDefinitionProvider?(
    id: string,
    provider: {
      readonly onDidChangeMcpServerDefinitions: vscode.Event<void>;
      provideMcpServerDefinitions(): Promise<object[]>;
    },
  ): vscode.Disposable;
}
type StdioServer = new (
  label: string,
  command: string,
  args: string[],
  env: Record<string, string>,
  version: string,
) => { cwd?: vscode.Uri };

interface CommandLine {
  readonly command: string;
  readonly args: string[];
  readonly env: Record<string, string>;
  readonly cwd: vscode.Uri | undefined;
}

/** The command line, run by VS Code's own Node with the interpreter that runs a person's code here. */
async function commandLine(extension: vscode.Uri): Promise<CommandLine> {
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri;
  const { path, from } = await pythonInterpreter(folder);
  return {
    command: process.execPath,
    args: [vscode.Uri.joinPath(extension, 'dist', 'cli.js').fsPath, 'mcp'],
    env: { ELECTRON_RUN_AS_NODE: '1', ...(from !== 'default' && { ATTENTION_PYTHON: path }) },
    cwd: folder,
  };
}

/** Registered where VS Code has what they need; they run a person's programs, in trusted workspaces only. */
export function agentTools({
  extensionUri,
  extension,
}: Pick<vscode.ExtensionContext, 'extensionUri' | 'extension'>): vscode.Disposable {
  const { version } = extension.packageJSON as { version: string };
  const hasTools = typeof vscode.lm?.registerTool === 'function';
  return vscode.Disposable.from(
    ...(hasTools ? TOOLS : []).map((name) =>
      vscode.lm.registerTool<object>(`attention_${name}`, {
        prepareInvocation: ({ input }) => preparation(name, input),
        invoke: ({ input }, token) => invoke(extensionUri, name, input, token),
      }),
    ),
    mcpServer(extensionUri, version),
  );
}

function mcpServer(extension: vscode.Uri, version: string): vscode.Disposable {
  const api = vscode.lm as typeof vscode.lm & McpApi;
  const { McpStdioServerDefinition: Server } = vscode as { McpStdioServerDefinition?: StdioServer };
  if (!api?.registerMcpServerDefinitionProvider || !Server) return new vscode.Disposable(() => null);
  const changed = new vscode.EventEmitter<void>();
  return vscode.Disposable.from(
    changed,
    vscode.workspace.onDidGrantWorkspaceTrust(() => changed.fire()),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration('attention.python')) changed.fire();
    }),
    api.registerMcpServerDefinitionProvider(PROVIDER, {
      onDidChangeMcpServerDefinitions: changed.event,
      provideMcpServerDefinitions: async () => {
        if (!vscode.workspace.isTrusted) return [];
        const { command, args, env, cwd } = await commandLine(extension);
        const server = new Server('Attention', command, args, env, version);
        return [cwd ? Object.assign(server, { cwd }) : server];
      },
    }),
  );
}

function preparation(name: string, input: object): vscode.PreparedToolInvocation {
  if (!('apply' in input) || input.apply !== true)
    return { invocationMessage: `Attention: ${name}` };
  const title = 'Write the proven fix?';
  const message = 'The shortest edit that makes every tensor right is written to the file.';
  return { invocationMessage: 'Attention: fix', confirmationMessages: { title, message } };
}

async function invoke(
  extension: vscode.Uri,
  name: string,
  input: object,
  token: vscode.CancellationToken,
): Promise<vscode.LanguageModelToolResult> {
  if (!vscode.workspace.isTrusted)
    throw new Error('The workspace is not trusted: no program of it is run.');
  const { command, args, env, cwd } = await commandLine(extension);
  const cancel = new AbortController();
  token.onCancellationRequested(() => cancel.abort());
  let [stdout, stderr] = ['', ''];
  const { code, timedOut } = await start({
    ...{ command, args: [...args, '--call', name], env: { ...process.env, ...env } },
    ...(cwd && { cwd: cwd.fsPath }),
    ...{ stdin: JSON.stringify(input), signal: cancel.signal, timeout: LIMIT },
    onStdout: (text) => (stdout += text),
    onStderr: (text) => (stderr += text),
  }).done;
  if (code !== 0) {
    const said = stderr.trim().split('\n').at(-1);
    throw new Error(timedOut ? `no answer within ${LIMIT / 60_000} minutes` : said || 'it ended');
  }
  const { text, structured } = JSON.parse(stdout) as { text: string; structured: object };
  return new vscode.LanguageModelToolResult([
    new vscode.LanguageModelTextPart(text),
    new vscode.LanguageModelTextPart(JSON.stringify(structured)),
  ]);
}
