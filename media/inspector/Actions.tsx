// Copying, saving and pinning the shown tensor.
import type { JSX } from 'preact';
import type { InspectorState, TensorInfo } from '../../src/inspect/messages.ts';
import { post } from './door.ts';
import { Menu } from './Menu.tsx';
import { scene } from './picture.ts';
import { looking, slicing } from './state.ts';
import { svgOf } from './svg.ts';

async function savePng(info: TensorInfo): Promise<void> {
  const background = getComputedStyle(document.body).backgroundColor;
  const canvas = scene.value?.snapshot(background);
  if (!canvas) return;
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, 'image/png'));
  if (blob)
    post({ type: 'savePicture', name: info.name, format: 'png', data: await blob.arrayBuffer() });
}

function saveSvg(info: TensorInfo): void {
  const text = svgOf(info);
  if (text)
    post({
      type: 'savePicture',
      name: info.name,
      format: 'svg',
      data: new TextEncoder().encode(text).buffer,
    });
}

export function Actions({
  info,
  state,
}: {
  readonly info: TensorInfo;
  readonly state: InspectorState;
}): JSX.Element {
  const tensor = info.id;
  const copy = (format: 'json' | 'numpy' | 'csv') => () =>
    post({ type: 'copy', tensor, format, slicing: slicing.value });
  const isPinned = state.pins.some(({ id }) => id === tensor);
  const isPicture = looking.value.as === 'picture';
  return (
    <>
      <Menu
        label="Copy"
        items={[
          { label: 'as JSON', run: copy('json') },
          { label: 'as NumPy', run: copy('numpy') },
          { label: info.axes.length > 2 ? 'drawn matrix as CSV' : 'as CSV', run: copy('csv') },
        ]}
      />
      <Menu
        label="Save"
        items={[
          { label: 'as .npy', run: () => post({ type: 'saveNpy', tensor }) },
          ...(isPicture
            ? [
                { label: 'picture as PNG', run: () => void savePng(info) },
                { label: 'picture as SVG', run: () => saveSvg(info) },
              ]
            : []),
        ]}
      />
      {state.file && state.against === null ? (
        <>
          <button
            type="button"
            class="quiet"
            title="Shows this tensor beside the walk's in the Tensor Inspector view"
            onClick={() => post({ type: 'pin', tensor, pinned: true })}
          >
            Pin to the side bar
          </button>
          <button
            type="button"
            class="quiet"
            title="Opens a new setup whose x is this tensor; nothing is saved"
            onClick={() => post({ type: 'useAsInput', tensor })}
          >
            Open as the Setup's Input
          </button>
          <button
            type="button"
            class="quiet"
            title="Compares the tensors of this file with a setup's: which is wrong first, and why"
            onClick={() => post({ type: 'compareFile' })}
          >
            Compare My Tensors
          </button>
        </>
      ) : (
        state.against === null && (
          <button
            type="button"
            class="quiet"
            aria-pressed={isPinned}
            title="Stays below while you step, and flashes when it changes"
            onClick={() => post({ type: 'pin', tensor, pinned: !isPinned })}
          >
            {isPinned ? 'Unpin' : 'Pin'}
          </button>
        )
      )}
    </>
  );
}
