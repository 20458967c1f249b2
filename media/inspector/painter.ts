// What draws tiles on a canvas: WebGL2 on a graphics card, canvas 2D where there is none.
import type { Colours } from './palette.ts';
import { canvasPainter } from './canvasPainter.ts';
import { glPainter } from './glPainter.ts';
import type { KeptTile } from './tiles.ts';

/** A tile and where it goes, in CSS pixels. */
export interface Drawn {
  readonly tile: KeptTile;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Painter {
  readonly kind: 'webgl2' | 'canvas';
  /** Clears the canvas and draws the tiles in their order. `density`: device pixels per CSS pixel. */
  paint(tiles: readonly Drawn[], colours: Colours, density: number): void;
  dispose(): void;
}

let isFast: boolean | null = null;

/** Asked of a canvas of its own: one that has had a WebGL context can have no other. */
function hasGraphicsCard(): boolean {
  if (isFast !== null) return isFast;
  const gl = document
    .createElement('canvas')
    .getContext('webgl2', { failIfMajorPerformanceCaveat: true });
  const info = gl?.getExtension('WEBGL_debug_renderer_info');
  const renderer = String((info && gl?.getParameter(info.UNMASKED_RENDERER_WEBGL)) ?? '');
  isFast = gl !== null && !/swiftshader|llvmpipe|software|basic render/i.test(renderer);
  gl?.getExtension('WEBGL_lose_context')?.loseContext();
  return isFast;
}

/** `restored` is called when a lost WebGL context has come back and everything is to be drawn again. */
export function painterFor(canvas: HTMLCanvasElement, restored: () => void): Painter {
  // Tests choose; WebGL2 without a graphics card is slower than canvas 2D and is not taken by itself.
  const wanted = document.body.dataset['renderer'];
  const takesGl = wanted === undefined ? hasGraphicsCard() : wanted === 'webgl2';
  return (takesGl ? glPainter(canvas, restored) : null) ?? canvasPainter(canvas);
}
