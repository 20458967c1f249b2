// A trace that is dropped on the page is compared. VS Code lets drops through to a page while Shift is held.
import { post } from '../vscode.ts';

/** Of VS Code's explorer and editors; other programs give files. */
const URI_LISTS = ['application/vnd.code.uri-list', 'text/uri-list'];

const hasSomething = ({ dataTransfer }: DragEvent): boolean =>
  [...URI_LISTS, 'Files'].some((type) => dataTransfer?.types.includes(type));

async function drop({ dataTransfer }: DragEvent): Promise<void> {
  const list = URI_LISTS.map((type) => dataTransfer?.getData(type)).find(Boolean) ?? '';
  const uri = list.split(/\r?\n/).find((line) => line && !line.startsWith('#'));
  const file = dataTransfer?.files[0];
  if (uri) post({ type: 'drop', uri });
  else if (file) post({ type: 'dropFile', name: file.name, data: await file.arrayBuffer() });
}

export function listenToDrops(): void {
  const mark = (over: boolean): void => {
    document.body.classList.toggle('dropping', over);
  };
  window.addEventListener('dragover', (event) => {
    if (!hasSomething(event)) return;
    event.preventDefault();
    mark(true);
  });
  window.addEventListener('dragleave', (event) => {
    if (event.relatedTarget === null) mark(false);
  });
  window.addEventListener('drop', (event) => {
    mark(false);
    if (!hasSomething(event)) return;
    event.preventDefault();
    void drop(event);
  });
}
