// Where f is an energy and x are positions: the force -df/dx so far on each token, in the first two coordinates.
import type { JSX } from 'preact';
import type { Force } from '../../src/stepper/stepView.ts';

const SIZE = 240;
const PAD = 28;

/** Both axes have one scale; the longest arrow is a quarter of the picture. */
function frame(forces: readonly Force[]) {
  const span = (values: number[]): [number, number] => [Math.min(...values), Math.max(...values)];
  const [left, right] = span(forces.map(({ at }) => at[0]));
  const [low, high] = span(forces.map(({ at }) => at[1]));
  const extent = Math.max(right - left, high - low) || 1;
  const unit = (SIZE - 2 * PAD) / extent;
  const longest = Math.max(...forces.map(({ force }) => Math.hypot(...force)));
  return {
    x: (value: number): number => SIZE / 2 + (value - (left + right) / 2) * unit,
    y: (value: number): number => SIZE / 2 - (value - (low + high) / 2) * unit,
    stretch: longest > 0 && Number.isFinite(longest) ? SIZE / 4 / longest : 0,
  };
}

export function Forces({ forces }: { readonly forces: readonly Force[] }): JSX.Element {
  const { x, y, stretch } = frame(forces);
  return (
    <div class="block">
      <h2 class="section-title">
        <span>Forces on the tokens</span>
        <span class="hint">force = −df/dx so far</span>
      </h2>
      <svg
        class="forces"
        viewBox={`0 0 ${SIZE} ${SIZE}`}
        role="img"
        aria-label="Tokens and the forces on them"
      >
        <rect x="0.5" y="0.5" width={SIZE - 1} height={SIZE - 1} class="frame" />
        {forces.map(({ at, force }, n) => {
          const [x1, y1] = [x(at[0]), y(at[1])];
          const [dx, dy] = [force[0] * stretch, -force[1] * stretch];
          const length = Math.hypot(dx, dy);
          const [ux, uy] = length > 0 ? [dx / length, dy / length] : [0, 0];
          const head = Math.min(7, length);
          const [bx, by] = [x1 + dx - ux * head, y1 + dy - uy * head];
          const half = head / 2;
          return (
            <g key={n}>
              <title>{`token ${n} at (${at.join(', ')}), force (${force.join(', ')})`}</title>
              {length > 1 && (
                <g class="force">
                  <path d={`M${x1} ${y1}L${bx} ${by}`} />
                  <polygon
                    points={`${x1 + dx},${y1 + dy} ${bx - uy * half},${by + ux * half} ${bx + uy * half},${by - ux * half}`}
                  />
                </g>
              )}
              <circle cx={x1} cy={y1} r="4" class="token" />
              <text
                x={x1 - ux * 11}
                y={y1 - uy * 11 - (length > 1 ? 0 : 11)}
                text-anchor="middle"
                dominant-baseline="middle"
              >
                {n}
              </text>
            </g>
          );
        })}
      </svg>
      <p class="note">First two coordinates of x; one scale for both axes.</p>
    </div>
  );
}
