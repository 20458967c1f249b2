import { expect, test } from 'vitest';
import { bundle } from './page.ts';

// They stand in the text of their pages, where these would end them.
test.each(['media/main.tsx', 'media/inspector/main.tsx'])(
  'the script and the style sheet of %s can stand in a page',
  async (entry) => {
    const { js, css } = await bundle(entry);
    expect(js.length * css.length).toBeGreaterThan(0);
    expect(js).not.toMatch(/<\/script|<!--/i);
    expect(css).not.toMatch(/<\/style|<!--/i);
  },
);
