// Random correct programs in three number types, computed by PyTorch: none may raise an alarm.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { drawSetup, generator } from '../conformance/draw.mjs';

export async function correctPrograms({ checker, folder, count, generate, checkFiles }) {
  const random = generator(7);
  const stems = [];
  for (let n = 0; n < count; n++) {
    const stem = `correct-${String(n).padStart(3, '0')}`;
    await writeFile(
      join(folder, `${stem}.attention.json`),
      JSON.stringify(drawSetup(random).setup),
    );
    stems.push(stem);
  }
  const results = [];
  for (const dtype of ['float64', 'float32', 'bfloat16']) {
    generate('correct.py', folder, dtype);
    const lines = [];
    for (const stem of stems) {
      try {
        const { report } = await checkFiles(checker, folder, stem);
        if (report.verdict === 'match' && report.dtype === dtype) continue;
        const wrong = report.nodes.filter(
          ({ status }) => status === 'diverges' || status === 'consequence',
        );
        const words = wrong.map(
          ({ node, kind, status, maxAbs, tolerance }) =>
            `${kind} ${node} ${status} ${maxAbs?.toExponential(1)} > ${tolerance?.toExponential(1)}`,
        );
        lines.push(
          `${stem} ${report.verdict} ${report.dtype}: ${words.slice(0, 4).join(', ')}; ${report.causes.map(({ title }) => title).join('; ')}`,
        );
      } catch (error) {
        lines.push(`${stem}: ${error.stack.split('\n').slice(0, 3).join(' ')}`);
      }
    }
    results.push({ dtype, runs: stems.length, lines });
  }
  return results;
}
