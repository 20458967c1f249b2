// Which real VS Code to drive: the desktop one where its download is reachable, else code-server.

/** @typedef {'electron' | 'server'} Flavour */

const latest = 'https://update.code.visualstudio.com/latest/linux-x64/stable';

/**
 * ATTENTION_VSCODE decides; without it, a quick look at the download (redirects and all).
 * @returns {Promise<Flavour>}
 */
export async function vscodeFlavour() {
  const given = process.env.ATTENTION_VSCODE;
  if (given === 'electron' || given === 'server') return given;
  if (given) throw new Error(`ATTENTION_VSCODE is "${given}"; it must be "electron" or "server"`);
  try {
    const answer = await fetch(latest, { method: 'HEAD', signal: AbortSignal.timeout(3000) });
    return answer.ok ? 'electron' : 'server';
  } catch {
    return 'server';
  }
}
