// What the panel answers to its webview's messages. Knows the session, not vscode.
import type { FromWebview, Look, ToWebview } from '../protocol.ts';
import type { Session } from '../stepper/session.ts';

const DEFAULT_LOOK: Look = { colorScale: 'perTensor', digits: 4 };

/** The run and where the walk is: sent when the page opens and when the setup or the view changes. */
export function runMessage(session: Session, look: Look = DEFAULT_LOOK): ToWebview {
  return {
    type: 'run',
    run: session.runView(),
    step: session.stepView(),
    settings: { allHeads: session.allHeads, ...look },
  };
}

/** Applies a message to the session and returns the answer; null for messages that are not about the walk. */
export function answer(session: Session, message: FromWebview, look?: Look): ToWebview | null {
  switch (message.type) {
    case 'move':
      session.move(message.move);
      break;
    case 'goToTick':
      session.goToTick(message.tick);
      break;
    case 'goToNode':
      session.goToNode(message.node, message.kind);
      break;
    case 'goToContribution':
      session.goToContribution(message.contribution);
      break;
    case 'goToTerm':
      session.goToTerm(message.term);
      break;
    case 'select':
      session.select(message.selection);
      // Another head or batch entry changes every picture, not only the step's.
      if ('h' in message.selection || 'r' in message.selection || 'b' in message.selection)
        return runMessage(session, look);
      break;
    case 'toggleBreakpoint':
      session.toggleBreakpoint(message.node);
      return runMessage(session, look);
    case 'settings':
      session.showAllHeads(message.settings.allHeads);
      return runMessage(session, look);
    default:
      return null;
  }
  return { type: 'step', step: session.stepView(), id: message.id };
}
