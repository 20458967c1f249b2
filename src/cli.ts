// The debugger without VS Code, for terminals and CI: USAGE below says what it does.
import { parseArgs } from 'node:util';
import { checkCommand } from './cli/check.ts';
import { outputProblem, sayText, warn } from './cli/output.ts';
import { InputError, openSetupFile, printJson, printTable } from './cli/support.ts';
import { runCommand } from './cli/run.ts';
import { gradcheck } from './engine/gradcheck.ts';
import { run } from './engine/run.ts';

const USAGE = `Usage:
  node dist/cli.js run SETUP [--out FILE.safetensors] [--json]
  node dist/cli.js check SETUP --against TRACE [--json]
  node dist/cli.js check SETUP --mine [--json]
  node dist/cli.js gradcheck SETUP [--json]
  node dist/cli.js lines FILE.py|FILE.ipynb [--setup SETUP] [--function NAME] [--layer N] [--fix [--write | --dry-run]] [--test OUT.py] [--json] [-- ARGS...]
  node dist/cli.js mcp

  run        computes the setup forward and backward
             --out   writes every node N and its gradient dN (float64)
  check      compares your own tensors (.npz, .safetensors, .json, .npy, a folder of .npy, or the
             parts of several ranks) with the setup's: the first wrong node and its cause
             --mine  runs the module that the setup names as its implementation
  gradcheck  compares every gradient with central differences
  lines      runs your own Python program, unchanged, and says which of its lines goes wrong first
             --setup     what was meant; without it the setup is inferred from the program
             --function  the function or method that computes the attention
             --layer     which of several layers or calls, from 1
             --fix       looks for an edit that makes every tensor right, and proves it by running it
             --write     puts the shortest such edit into the file; --dry-run writes nothing, whatever else is asked
             --test      writes OUT.py, a test of its functions with inputs of which all sizes differ
  mcp        serves check, lines, fix and explain to coding assistants: the Model Context Protocol over
             standard input and output
  --json     prints one JSON object

Exit code: 0 fine, 1 something does not match, 2 bad input`;

async function gradcheckCommand(file: string, json: boolean): Promise<number> {
  const nodes = gradcheck(run((await openSetupFile(file)).graph));
  const ok = nodes.every((node) => node.ok);
  if (json) {
    printJson({ ok, method: 'central differences at two step sizes, extrapolated', nodes });
  } else {
    const rows = nodes.map(
      ({ node, checked, size, maxAbs, maxRel, worstIndex, tolerance, ok: good }) => [
        node,
        checked === size ? `${size}` : `${checked} of ${size}`,
        maxAbs.toExponential(2),
        maxRel.toExponential(2),
        `[${worstIndex.join(', ')}]`,
        tolerance.toExponential(1),
        good ? 'ok' : 'DIFFERS',
      ],
    );
    printTable([
      ['node', 'entries', 'max abs error', 'relative', 'worst at', 'allowed', ''],
      ...rows,
    ]);
  }
  return ok ? 0 : 1;
}

async function main(words: string[]): Promise<number> {
  // Each half of the program is read only where it is wanted: that is most of the time that a small setup takes.
  if (words[0] === 'mcp' && !words.includes('--help'))
    return (await import('./cli/mcp.ts')).mcpCommand(words.slice(1));
  if (words[0] === 'lines' && !words.includes('--help'))
    return (await import('./cli/lines.ts')).linesCommand(words.slice(1));
  const { values, positionals } = parseArgs({
    args: words,
    allowPositionals: true,
    options: {
      against: { type: 'string' },
      mine: { type: 'boolean' },
      out: { type: 'string' },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  const [command, file, ...rest] = positionals;
  if (values.help) {
    sayText(USAGE);
    return 0;
  }
  if (file === undefined || rest.length > 0) {
    throw new InputError(
      `expected one command and one setup file; node dist/cli.js --help says more`,
    );
  }
  if (values.out !== undefined && command !== 'run')
    throw new InputError(`--out goes with run, found ${command}`);
  const { against, mine = false } = values;
  if (against !== undefined && mine) throw new InputError('found both --against and --mine');
  const hasTensors = against !== undefined || mine;
  if (hasTensors !== (command === 'check')) {
    throw new InputError(
      `--against TRACE or --mine goes with check, found ${command} ${hasTensors ? 'with' : 'without'} it`,
    );
  }
  switch (command) {
    case 'run':
      return runCommand(file, values.out, values.json ?? false);
    case 'check':
      return checkCommand(file, against ?? null, values.json ?? false);
    case 'gradcheck':
      return gradcheckCommand(file, values.json ?? false);
    default:
      throw new InputError(
        `found the command ${command}, expected run, check, gradcheck, lines or mcp`,
      );
  }
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.exitCode = 2;
  const isParsing = (error as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS');
  if (isParsing) warn((error as Error).message.split('\n')[0]);
  else if (error instanceof InputError) warn(error.message);
  else console.error(error);
}
const problem = await outputProblem();
// Bad input has been told already, in the one line.
if (problem && process.exitCode !== 2) {
  warn(problem);
  process.exitCode = 2;
}
