// Statements whose result is a leaf although they read something.

/** By one number: nothing else is read. */
export const SCALED_IN_PLACE =
  /^[\w.]+(\[[^\]]*\])?\s*[*/]=\s*[\w.*/()+\- ]+$|\.(mul|div)_\([^()]*(\([^()]*\))?[^()]*\)$/;

/** Whether a statement draws random numbers: what it reads then is a shape, mostly. */
export const isDrawn = (text: string): boolean =>
  /\b(?:rand\w*|normal_?|uniform_?|standard_normal|random|random_sample)\s*\(/.test(text) &&
  !/@|matmul|einsum|\bdot\(/.test(text);
