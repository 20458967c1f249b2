// What other parts of the page know of the picture: what is pointed at, how coarse it is, what to take a snapshot of.
import { signal } from '@preact/signals';
import type { Pointed } from './camera.ts';
import type { Scene } from './scene.ts';

export const hovered = signal<Pointed | null>(null);
/** A drawn cell stands for 2^level x 2^level entries. */
export const level = signal(0);
export const scene = signal<Scene | null>(null);
