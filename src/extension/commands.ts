// Every command of the extension, by name. A test holds this list against package.json.
import type { Move } from '../stepper/cursor.ts';

export const Command = {
  Step: 'attention.step',
  OpenSetup: 'attention.openSetup',
  NewSetup: 'attention.newSetup',
  StepOver: 'attention.stepOver',
  StepInto: 'attention.stepInto',
  StepOut: 'attention.stepOut',
  StepBack: 'attention.stepBack',
  ToStart: 'attention.toStart',
  ToEnd: 'attention.toEnd',
  Continue: 'attention.continue',
  Reverse: 'attention.reverse',
  Inspect: 'attention.inspect',
  Compare: 'attention.compare',
  FirstDivergence: 'attention.firstDivergence',
  Explain: 'attention.explain',
  AddPythonHelper: 'attention.addPythonHelper',
  CompareVariable: 'attention.compareVariable',
  RunMine: 'attention.runMine',
  MakeTest: 'attention.makeTest',
  CheckPython: 'attention.checkPython',
  ProgramArguments: 'attention.programArguments',
  SaveInferred: 'attention.saveInferredSetup',
  AnswerQuestions: 'attention.answerQuestions',
  OtherAttention: 'attention.checkOther',
  FindFix: 'attention.findFix',
  PreviewFix: 'attention.previewFix',
  GoToLineNode: 'attention.goToLineNode',
  OpenLinesPanel: 'attention.openLinesPanel',
  FirstWrongLine: 'attention.firstWrongLine',
} as const;

export type CommandId = (typeof Command)[keyof typeof Command];

/** The commands that move the walk of the active panel. */
export const MOVES: Readonly<Partial<Record<CommandId, Move>>> = {
  [Command.StepOver]: 'over',
  [Command.StepInto]: 'into',
  [Command.StepOut]: 'out',
  [Command.StepBack]: 'back',
  [Command.ToStart]: 'start',
  [Command.ToEnd]: 'end',
  [Command.Continue]: 'continue',
  [Command.Reverse]: 'reverse',
};
