// What the conformance programs use of the project, in one bundle.
export { buildGraph } from '../../src/engine/heads/build.ts';
export { run } from '../../src/engine/run.ts';
export { parseSetup } from '../../src/formats/parseSetup.ts';
export { loadSetup } from '../../src/formats/loadSetup.ts';
export { readSafetensors } from '../../src/formats/safetensors.ts';
export { printedIfShort } from '../../src/engine/printers/print.ts';
export { allPlaced } from '../compare/namedMistakes.ts';
export { listTensors } from '../../src/formats/ranges/listTensors.ts';
