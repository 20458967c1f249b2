// A place in a person's program, in words.

interface Place {
  readonly file: string;
  readonly line: number;
  /** Of a notebook, from 0 as in its file; `line` counts within it. */
  readonly cell?: number | undefined;
}

/** A notebook's cell as people count them: from 1. */
export const cellNumber = (cell: number): number => cell + 1;

/** "mha.py, line 12"; of a notebook, of which there is one, "cell 3, line 4". */
export const placeWords = ({ file, line, cell }: Place): string =>
  cell === undefined ? `${file}, line ${line}` : `cell ${cellNumber(cell)}, line ${line}`;

/** "mha.py:12", "mha.ipynb cell 3:4". */
export const placeText = ({ file, line, cell }: Place): string =>
  cell === undefined ? `${file}:${line}` : `${file} cell ${cellNumber(cell)}:${line}`;
