// What the score of inference uses of the project, in one bundle.
export { buildGraph } from '../../../src/engine/heads/build.ts';
export { run } from '../../../src/engine/run.ts';
export { openSetup } from '../../../src/formats/openSetup.ts';
export { infer } from '../../../src/lines/infer/infer.ts';
export { parseRecording } from '../../../src/lines/recorded/recording.ts';
export { judge } from '../../../src/lines/judge.ts';
