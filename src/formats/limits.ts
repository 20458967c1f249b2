// The bounds that keep a hostile or broken file from exhausting memory.

/** Most entries of one tensor, and of all random and inline tensors of one setup: 1 GiB as float64. */
export const MAX_ENTRIES = 2 ** 27;

/** Most bytes of the tensors that are read from one file or for one setup, together, as float64. */
export const MAX_UNPACKED_BYTES = 8 * MAX_ENTRIES;

/** Longest header of a .npy file, in bytes; NumPy's own limit is 10,000. */
export const MAX_NPY_HEADER = 2 ** 16;

/** Longest header of a .safetensors file, in bytes; the format itself allows 100 MB. */
export const MAX_SAFETENSORS_HEADER = 2 ** 24;

/** Most tensors in one file. */
export const MAX_TENSORS = 2 ** 16;

/** NumPy's limit on the number of axes. */
export const MAX_AXES = 32;

/** Deepest nesting of brackets in JSON. */
export const MAX_DEPTH = 64;

/** Longest setup file, in characters; larger tensors belong in a file of their own. */
export const MAX_SETUP_LENGTH = 2 ** 25;

/** Most values in a setup file: each takes a hundred bytes while it is read. */
export const MAX_SETUP_VALUES = 2 ** 20;

/** A setup file of more is not read: each character has 4 bytes at most. */
export const MAX_SETUP_BYTES = 4 * MAX_SETUP_LENGTH;

/** Longest JSON file of tensors, in bytes: it is read whole, whatever is wanted of it. */
export const MAX_JSON_BYTES = 2 ** 27;
