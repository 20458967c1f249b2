// mcp: the tools for coding assistants over standard input and output, in a bundle that only this command loads.
import { text as textOf } from 'node:stream/consumers';
import { AGENT_TOOLS, type AgentTool, type Input } from './agentTools.ts';
import { InputError, printJson } from './support.ts';

/** What dist/mcp.js exports. */
export interface McpBundle {
  /** Until the client ends it. */
  readonly serve: (
    tools: readonly AgentTool[],
    isBadInput: (error: unknown) => boolean,
  ) => Promise<void>;
}

/** As a server; with `--call NAME` it answers the one call whose arguments standard input has, as JSON. */
export async function mcpCommand(words: readonly string[]): Promise<number> {
  if (words.length > 0) return answerOne(words);
  const { serve } = (await import(new URL('mcp.js', import.meta.url).href)) as McpBundle;
  await serve(AGENT_TOOLS, (error) => error instanceof InputError);
  return 0;
}

async function answerOne([flag, name, ...rest]: readonly string[]): Promise<number> {
  const tool = AGENT_TOOLS.find((each) => each.name === name);
  if (flag !== '--call' || !tool || rest.length > 0)
    throw new InputError('mcp takes nothing, or --call and one of check, lines, fix and explain');
  let input: unknown;
  try {
    input = JSON.parse(await textOf(process.stdin));
  } catch (error) {
    throw new InputError(`standard input: ${(error as Error).message}, expected JSON`);
  }
  if (typeof input !== 'object' || input === null)
    throw new InputError('standard input: expected a JSON object');
  printJson(await tool.call(input as Input));
  return 0;
}
