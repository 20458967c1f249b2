// The shaders that colour one tile: the same scale as src/inspect/scale.ts and palette.ts.

export const VERTEX = `#version 300 es
uniform vec4 box;      // left, top, right, bottom in clip space
out vec2 at;           // in [0, 1] over the tile
void main() {
  vec2 corner = vec2(gl_VertexID & 1, gl_VertexID >> 1);
  at = corner;
  gl_Position = vec4(mix(box.xy, box.zw, corner), 0.0, 1.0);
}`;

export const FRAGMENT = `#version 300 es
precision highp float;
precision highp sampler2D;
uniform sampler2D cells;
uniform sampler2D colours;
uniform vec2 count;      // cells across and down in the tile
uniform vec2 pixels;     // device pixels of a cell
uniform vec3 ends;       // low, high, threshold
uniform ivec2 kind;      // diverging, logarithmic
uniform vec3 nanColour;
uniform vec3 hatch;
uniform vec3 ground;
in vec2 at;
out vec4 colour;

float bend(float value) {
  return kind.y == 1 ? sign(value) * log(1.0 + abs(value) / ends.z) : value;
}

void main() {
  vec2 place = at * count;
  ivec2 cell = ivec2(min(floor(place), count - 1.0));
  if (min(pixels.x, pixels.y) >= 6.0) {
    vec2 rest = (place - vec2(cell)) * pixels;
    if (rest.x > pixels.x - 1.0 || rest.y > pixels.y - 1.0) discard;
  }
  float value = texelFetch(cells, cell, 0).r;
  // Comparisons with NaN may be optimised away; its bits are not.
  uint bits = floatBitsToUint(value) & 0x7fffffffu;
  if (bits > 0x7f800000u) { colour = vec4(nanColour, 1.0); return; }
  if (bits == 0x7f800000u) {
    float line = mod(gl_FragCoord.x + gl_FragCoord.y, 6.0);
    colour = vec4(line < 1.5 ? hatch : ground, 1.0);
    return;
  }
  float v = bend(clamp(value, ends.x, ends.y));
  float t;
  if (kind.x == 1) {
    float end = abs(bend(v < 0.0 ? ends.x : ends.y));
    t = end == 0.0 ? 0.5 : v / end * 0.5 + 0.5;
  } else {
    float from = bend(ends.x);
    float to = bend(ends.y);
    t = from == to ? (value == 0.0 ? 0.0 : 1.0) : (v - from) / (to - from);
  }
  colour = texture(colours, vec2((t * 1023.0 + 0.5) / 1024.0, 0.5));
}`;
