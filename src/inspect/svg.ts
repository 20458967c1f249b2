// A drawn matrix as an SVG picture with its title, axes and legend, for papers and slides.

export interface SvgPicture {
  readonly title: string;
  readonly rows: number;
  readonly cols: number;
  /** CSS colours, row by row. */
  readonly colours: readonly string[];
  readonly rowAxis: string;
  readonly colAxis: string;
  /** "mean of 4 × 4 entries"; '' where nothing is reduced. */
  readonly reduced: string;
  readonly legend: {
    readonly words: string;
    readonly low: string;
    readonly high: string;
    readonly colours: readonly string[];
  };
  readonly foreground: string;
  readonly background: string;
}

const escape = (text: string): string =>
  text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');

const MARGIN = 28;
const LINE = 16;

/** Colours come from the caller's own palette and are written as they are. */
export function toSvg(picture: SvgPicture): string {
  const { rows, cols, colours, legend, foreground, background } = picture;
  const cell = Math.max(1, Math.min(24, Math.floor(640 / Math.max(rows, cols, 1))));
  const [width, height] = [cols * cell, rows * cell];
  const top = MARGIN + LINE;
  const total = {
    width: Math.max(width, 280) + 2 * MARGIN,
    height: top + height + 4 * LINE + MARGIN,
  };
  const cells = colours.map((colour, n) => {
    const [row, col] = [Math.floor(n / cols), n % cols];
    return `<rect x="${MARGIN + col * cell}" y="${top + row * cell}" width="${cell}" height="${cell}" fill="${colour}"/>`;
  });
  const bar = legend.colours.map(
    (colour, n) =>
      `<rect x="${MARGIN + n * 4}" y="${top + height + 2 * LINE}" width="4.5" height="8" fill="${colour}"/>`,
  );
  const text = (x: number, y: number, words: string, more = ''): string =>
    `<text x="${x}" y="${y}"${more}>${escape(words)}</text>`;
  const below = top + height;
  const words = `${legend.low} … ${legend.high}, ${legend.words}${picture.reduced && `; ${picture.reduced}`}`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${total.width}" height="${total.height}" viewBox="0 0 ${total.width} ${total.height}" font-family="sans-serif" font-size="12" fill="${foreground}" role="img" aria-label="${escape(picture.title)}">`,
    `<rect width="100%" height="100%" fill="${background}"/>`,
    text(MARGIN, MARGIN, picture.title, ' font-weight="bold"'),
    `<g shape-rendering="crispEdges">${cells.join('')}</g>`,
    text(MARGIN, below + LINE, picture.colAxis && `${picture.colAxis} →`),
    text(
      MARGIN - 8,
      top,
      picture.rowAxis && `${picture.rowAxis} →`,
      ` transform="rotate(90 ${MARGIN - 8} ${top})" dy="4"`,
    ),
    `<g shape-rendering="crispEdges">${bar.join('')}</g>`,
    text(MARGIN, below + 4 * LINE, words),
    '</svg>',
    '',
  ].join('\n');
}
