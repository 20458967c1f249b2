// An MCP server over standard input and output for tools that it is given: it knows no attention.
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import {
  type CallToolResult,
  CallToolRequestSchema,
  ListToolsRequestSchema,
} from '@modelcontextprotocol/sdk/types.js';
import type { AgentTool } from '../cli/agentTools.ts';
import { toJsonNumber } from '../formats/specialNumber.ts';
import { version } from '../../package.json';

const INSTRUCTIONS =
  'Finds where a hand-written attention (forward and backward) goes wrong. Begin with `lines` on the program; `fix` gives an edit that was run and proven.';

/** Resolves when the client closes its end. */
export async function serve(
  tools: readonly AgentTool[],
  isBadInput: (error: unknown) => boolean,
): Promise<void> {
  const server = new Server(
    { name: 'attention', title: 'Attention Gradient Debugger', version },
    { capabilities: { tools: {} }, instructions: INSTRUCTIONS },
  );
  server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: tools.map(({ name, title, description, inputSchema, readOnly }) => ({
      ...{ name, title, description },
      inputSchema: { ...inputSchema, required: [...inputSchema.required] },
      annotations: { readOnlyHint: readOnly, destructiveHint: !readOnly, openWorldHint: false },
    })),
  }));
  server.setRequestHandler(
    CallToolRequestSchema,
    async ({ params: { name, arguments: input = {} } }): Promise<CallToolResult> => {
      const tool = tools.find((each) => each.name === name);
      if (!tool) return failure(`found the tool ${name}, expected one of ${namesOf(tools)}`);
      const [unknown] = Object.keys(input).filter((key) => !(key in tool.inputSchema.properties));
      if (unknown !== undefined) return failure(`${unknown}: ${name} takes no such argument`);
      try {
        const { text, structured } = await tool.call(input);
        return { content: [{ type: 'text', text }], structuredContent: plain(structured) };
      } catch (error) {
        if (!isBadInput(error)) console.error(error);
        return failure((error as Error).message);
      }
    },
  );
  const transport = new StdioServerTransport();
  const closed = new Promise<void>((resolve) => {
    Object.assign(server, { onclose: resolve });
    process.stdin.once('end', () => void server.close());
  });
  await server.connect(transport);
  await closed;
}

const namesOf = (tools: readonly AgentTool[]): string => tools.map(({ name }) => name).join(', ');

const failure = (message: string): CallToolResult => ({
  isError: true,
  content: [{ type: 'text', text: message.split('\n')[0] }],
});

/** JSON has no NaN and no infinity: they are written as in setup files. */
const plain = (structured: object): Record<string, unknown> =>
  JSON.parse(
    JSON.stringify(structured, (_, each: unknown) =>
      typeof each === 'number' ? toJsonNumber(each) : each,
    ),
  ) as Record<string, unknown>;
