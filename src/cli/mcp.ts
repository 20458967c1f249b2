// mcp: the tools for coding assistants over standard input and output, in a bundle that only this command loads.
import type { AgentTool } from './agentTools.ts';
import { AGENT_TOOLS } from './agentTools.ts';
import { InputError } from './support.ts';

/** What dist/mcp.js exports. */
export interface McpBundle {
  /** Until the client ends it. */
  serve(tools: readonly AgentTool[], isBadInput: (error: unknown) => boolean): Promise<void>;
}

export async function mcpCommand(): Promise<number> {
  const { serve } = (await import(new URL('mcp.js', import.meta.url).href)) as McpBundle;
  await serve(AGENT_TOOLS, (error) => error instanceof InputError);
  return 0;
}
