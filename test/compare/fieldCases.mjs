// The command line on traces of real programs: node test/compare/fieldCases.mjs [--only TEXT]
// Reads ../shared/field-cases, which is not part of the project, or the folder that ATTENTION_FIELD_CASES names.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values: options } = parseArgs({ options: { only: { type: 'string', default: '' } } });
const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = process.env.ATTENTION_FIELD_CASES ?? join(root, '..', 'shared', 'field-cases');
const cli = join(root, 'dist', 'cli.js');

/** Where each mistake is first seen when all is logged, and words of a good answer; right programs need neither. */
const EXPECTED = {
  causal_no_pad: [/^M$/, /pad|(only|alone).*causal|causal.*(only|alone)/],
  yarn_mscale: [/^Z$/, /1\/sqrt\(d\)|1\/√d|default/],
  dropout_logits: [/^(S|Z|M|P)$/, /dropout.*(logits|scores|before)/],
  extra_bias: [/^y$/, /bias|same row/],
  mask_repeat: [/^M$/, /mask.*(order|batch|head)/],
  chunk_window: [/^M$/, /chunk|block/],
  neox_qkv: [/^(K|Q|V)$/, /fused|qkv|split|heads?\b.*order|order/],
  static_zeros: [/^(P|S|y)$/, /(zero|empty|extra).*(key|slot)|keys?.*zero|slot/],
  // The setup has no M.
  t5_cross_bias: [/^(M|P)$/, /add(s|ed)?\b|bias/],
  rope_double: [/^(Kh|Qh)$/, /twice|doubled|times 2|2 times/],
  p05_delta_strides: [/^d(Z|M|S)$/, /row|delta/],
  p06_softmax_alias_y: [/^d(Z|M|S)$/, /dP|upstream.*(place|for) (of )?P/],
  p13_pad_key_valid_bwd: [/^d(V|P|M|Z|S)$/, /mask|hidden|key 4/],
  // dO is given, and right: it is not used.
  p20_ones_upstream: [/^d(y|O|C|V)$/, /ones|1 everywhere|all 1/],
  o09_stale_p: [/^d(M|Z|S)$/, /last head/],
  o12_llmc_diag: [/^d(M|Z|S)$/, /diagonal|own key|last visible/],
  o13_llmc_eq: [/^d(Q|Qh)$/, /last/],
  o17_dkv_not_reset: [/^d(V|K|Vh|Kh)$/, /running|reset|zeroed|accumulat/],
  x02_fa_scale_dq_only: [/^d(K|Kh)$/, /scale/],
  o20b_backward_twice_w: [/^d/, /twice|ran (again|two)/],
  y02_float32_cast: [/./, /float32/],
};

const pad = (text, width) => String(text).padEnd(width);
let [passed, failed, skipped] = [0, 0, 0];

function tell(name, trace, truth, { status, stdout, stderr }, seconds) {
  const wanted = truth.kind === 'right' ? null : EXPECTED[name];
  let report = null;
  try {
    report = JSON.parse(stdout);
  } catch {
    // Told below by what stands on standard error.
  }
  const first = report?.first;
  const node = first ? `${first.kind === 'gradient' ? 'd' : ''}${first.node}` : '-';
  const titles = report?.causes.map(({ title }) => title) ?? [];
  const notes = report?.nodes.flatMap(({ note }) => note || []).join('; ') ?? '';
  const why = report?.causes[0]?.why ?? '';
  const hasVerdict = report?.verdict === (truth.kind === 'right' ? 'match' : 'diverges');
  // Of a partial log another node is the first that is seen to be wrong.
  const hasFirst = !wanted || trace !== 'all' || wanted[0].test(node);
  const words = titles.length > 0 ? `${titles[0]} ${why}` : '';
  const hasCause = !wanted || new RegExp(wanted[1].source, 'i').test(words);
  const isGood = status !== 2 && hasVerdict && hasFirst && hasCause;
  if (isGood) passed++;
  else failed++;
  const marks = [hasVerdict, hasFirst, hasCause].map((ok) => (ok ? '+' : '-')).join('');
  const answer =
    status === 2 ? stderr.trim() : titles.join(' | ') || (truth.kind === 'right' ? '' : notes);
  console.log(
    `${pad(name, 24)}${pad(trace, 6)}${marks}  ${pad(report?.verdict ?? `exit ${status}`, 10)}${pad(node, 7)}${pad(seconds.toFixed(1), 6)}${answer.slice(0, 300)}`,
  );
}

if (!existsSync(join(folder, 'cases.json'))) {
  console.log(`${folder} is not there; ATTENTION_FIELD_CASES names another`);
  skipped++;
} else {
  console.log(
    `${pad('case', 24)}${pad('trace', 6)}ok   ${pad('verdict', 10)}${pad('first', 7)}${pad('s', 6)}causes`,
  );
  for (const truth of JSON.parse(readFileSync(join(folder, 'cases.json'), 'utf8'))) {
    const { name, traces } = truth;
    if (!name.includes(options.only)) continue;
    for (const trace of traces) {
      const began = performance.now();
      const run = spawnSync(
        process.execPath,
        [
          ...[cli, 'check', join(folder, name, 'setup.attention.json')],
          ...['--against', join(folder, name, `${trace}.npz`), '--json'],
        ],
        { encoding: 'utf8', maxBuffer: 2 ** 28 },
      );
      tell(name, trace, truth, run, (performance.now() - began) / 1000);
    }
  }
  console.log('ok: verdict, first wrong (where all is logged), cause as a good answer says it');
}
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exit(failed === 0 ? 0 : 1);
