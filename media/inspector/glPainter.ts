// Draws tiles with WebGL2: one float32 texture per tile, coloured in the shader.
import { toFloat32 } from '../../src/inspect/pyramid.ts';
import type { Rgb } from '../../src/inspect/colour.ts';
import type { Drawn, Painter } from './painter.ts';
import { type Colours, SAMPLES } from './palette.ts';
import { FRAGMENT, VERTEX } from './shaders.ts';
import type { KeptTile } from './tiles.ts';

/** 256 KB each. */
const MOST_TEXTURES = 256;

interface Program {
  readonly program: WebGLProgram;
  readonly at: (name: string) => WebGLUniformLocation | null;
}

function compile(gl: WebGL2RenderingContext): Program | null {
  const program = gl.createProgram();
  for (const [type, source] of [
    [gl.VERTEX_SHADER, VERTEX],
    [gl.FRAGMENT_SHADER, FRAGMENT],
  ] as const) {
    const shader = gl.createShader(type);
    if (!shader) return null;
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) return null;
  const known = new Map<string, WebGLUniformLocation | null>();
  const at = (name: string): WebGLUniformLocation | null => {
    if (!known.has(name)) known.set(name, gl.getUniformLocation(program, name));
    return known.get(name) ?? null;
  };
  return { program, at };
}

function texture(gl: WebGL2RenderingContext): WebGLTexture {
  const result = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, result);
  for (const filter of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER])
    gl.texParameteri(gl.TEXTURE_2D, filter, gl.NEAREST);
  for (const wrap of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T])
    gl.texParameteri(gl.TEXTURE_2D, wrap, gl.CLAMP_TO_EDGE);
  return result;
}

const unit = (colour: Rgb): [number, number, number] => [
  colour[0] / 255,
  colour[1] / 255,
  colour[2] / 255,
];

/** Null where there is no WebGL2. */
export function glPainter(canvas: HTMLCanvasElement, restored: () => void): Painter | null {
  const gl = canvas.getContext('webgl2', {
    antialias: false,
    alpha: true,
    premultipliedAlpha: true,
  });
  if (!gl) return null;
  let program = compile(gl);
  if (!program) return null;
  const textures = new Map<string, WebGLTexture>();
  let samples: WebGLTexture | null = null;
  let samplesKey = '';
  let isLost = false;

  const textureOf = ({ key, data, rows, cols }: KeptTile): WebGLTexture => {
    const found = textures.get(key);
    if (found) {
      textures.delete(key);
      textures.set(key, found);
      gl.bindTexture(gl.TEXTURE_2D, found);
      return found;
    }
    const made = texture(gl);
    const numbers = data instanceof Float64Array ? toFloat32(data) : data;
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.R32F, cols, rows, 0, gl.RED, gl.FLOAT, numbers);
    textures.set(key, made);
    if (textures.size > MOST_TEXTURES) {
      const [oldest, old] = textures.entries().next().value!;
      gl.deleteTexture(old);
      textures.delete(oldest);
    }
    return made;
  };
  const bindColours = (colours: Colours): void => {
    gl.activeTexture(gl.TEXTURE1);
    if (samplesKey === colours.key) {
      gl.bindTexture(gl.TEXTURE_2D, samples);
      return;
    }
    if (samples) gl.deleteTexture(samples);
    samples = texture(gl);
    samplesKey = colours.key;
    const pixels = Uint8Array.from(colours.samples.flatMap((rgb) => [...rgb, 255]));
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, SAMPLES, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
  };
  const onLost = (event: Event): void => {
    event.preventDefault();
    isLost = true;
  };
  const onRestored = (): void => {
    isLost = false;
    textures.clear();
    samplesKey = '';
    samples = null;
    program = compile(gl);
    restored();
  };
  canvas.addEventListener('webglcontextlost', onLost);
  canvas.addEventListener('webglcontextrestored', onRestored);

  const paint = (tiles: readonly Drawn[], colours: Colours, density: number): void => {
    if (isLost || !program) return;
    const { at } = program;
    const { width, height } = canvas;
    gl.viewport(0, 0, width, height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.useProgram(program.program);
    bindColours(colours);
    const { scale, palette } = colours;
    gl.uniform1i(at('cells'), 0);
    gl.uniform1i(at('colours'), 1);
    gl.uniform3f(at('ends'), scale.low, scale.high, scale.threshold);
    gl.uniform2i(at('kind'), scale.kind === 'diverging' ? 1 : 0, scale.logarithmic ? 1 : 0);
    gl.uniform3f(at('nanColour'), ...unit(palette.nan));
    gl.uniform3f(at('hatch'), ...unit(palette.hatch));
    gl.uniform3f(at('ground'), ...unit(palette.ground));
    gl.activeTexture(gl.TEXTURE0);
    for (const { tile, x, y, width: wide, height: high } of tiles) {
      textureOf(tile);
      const clipX = (px: number): number => ((px * density) / width) * 2 - 1;
      const clipY = (px: number): number => 1 - ((px * density) / height) * 2;
      gl.uniform4f(at('box'), clipX(x), clipY(y), clipX(x + wide), clipY(y + high));
      gl.uniform2f(at('count'), tile.cols, tile.rows);
      gl.uniform2f(at('pixels'), (wide * density) / tile.cols, (high * density) / tile.rows);
      gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
    }
  };
  return {
    kind: 'webgl2',
    paint,
    dispose: () => {
      canvas.removeEventListener('webglcontextlost', onLost);
      canvas.removeEventListener('webglcontextrestored', onRestored);
      gl.getExtension('WEBGL_lose_context')?.loseContext();
    },
  };
}
