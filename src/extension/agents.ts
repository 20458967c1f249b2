// The tools for coding assistants in VS Code: the same four as language-model tools and as an MCP server.
import * as vscode from 'vscode';
import { commandLine, runCommandLine } from './commandLine.ts';

const PROVIDER = 'attention.mcp';
/** In package.json, which has their schemas. */
const TOOLS = ['check', 'lines', 'fix', 'explain'];

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
  if (!api?.registerMcpServerDefinitionProvider || !Server)
    return new vscode.Disposable(() => null);
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
        const cwd = workspaceFolder();
        const { command, args, env } = await commandLine(extension, cwd);
        const server = new Server('Attention', command, [...args, 'mcp'], env, version);
        return [cwd ? Object.assign(server, { cwd }) : server];
      },
    }),
  );
}

const workspaceFolder = (): vscode.Uri | undefined => vscode.workspace.workspaceFolders?.[0]?.uri;

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
  const words = ['mcp', '--call', name];
  const run = { words, cwd: workspaceFolder(), stdin: JSON.stringify(input) };
  const stdout = await runCommandLine(extension, run, token);
  const { text, structured } = JSON.parse(stdout) as { text: string; structured: object };
  return new vscode.LanguageModelToolResult([
    new vscode.LanguageModelTextPart(text),
    new vscode.LanguageModelTextPart(JSON.stringify(structured)),
  ]);
}
