// What the scoreboard uses of the project, in one bundle.
export { check } from '../../src/compare/check.ts';
export { openSetup } from '../../src/formats/openSetup.ts';
export { resolveName } from '../../src/formats/nodeNames.ts';
export { readTensorFile } from '../../src/formats/tensorFile.ts';
export { holdsElsewhere, judgeCase } from './judgeCase.ts';
export { HABITS } from './habits.ts';
