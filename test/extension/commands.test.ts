// The commands of the code and those of package.json are the same, wherever they are named.
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { Command, MOVES } from '../../src/extension/commands.ts';

interface Named {
  readonly command: string;
  readonly when?: string;
}

interface Manifest {
  readonly contributes: {
    readonly commands: (Named & { title: string; category: string; icon?: string })[];
    readonly menus: Readonly<Record<string, Named[]>>;
    readonly keybindings: (Named & { key: string })[];
    readonly walkthroughs?: { steps: { description: string; completionEvents?: string[] }[] }[];
    readonly jsonValidation: { url: string }[];
  };
}

const root = new URL('../../', import.meta.url);
const { contributes } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as Manifest;
const known: string[] = Object.values(Command);

test('every command of the code is contributed, and no other', () => {
  expect(contributes.commands.map(({ command }) => command).sort()).toEqual([...known].sort());
});

test('titles are told apart and filed under the extension', () => {
  const titles = contributes.commands.map(({ title }) => title);
  expect(new Set(titles).size).toBe(titles.length);
  expect(contributes.commands.every(({ category }) => category === 'Attention')).toBe(true);
});

describe('menus, keys and walkthroughs', () => {
  test('name commands that there are', () => {
    const menus = Object.values(contributes.menus).flat();
    const named = [...menus, ...contributes.keybindings].map(({ command }) => command);
    const steps = (contributes.walkthroughs ?? []).flatMap((each) => each.steps);
    const links = steps.flatMap(({ description }) =>
      [...description.matchAll(/\(command:([\w.]+)\)/g)].map(([, command]) => command),
    );
    const events = steps.flatMap(({ completionEvents = [] }) =>
      completionEvents.map((event) => event.replace('onCommand:', '')),
    );
    const all = [...named, ...links, ...events].filter((command) =>
      command.startsWith('attention.'),
    );
    expect(all.length).toBeGreaterThan(0);
    expect(all.filter((command) => !known.includes(command))).toEqual([]);
  });

  test('buttons beside an editor’s title have an icon', () => {
    const icons = new Map(contributes.commands.map(({ command, icon }) => [command, icon]));
    for (const { command } of contributes.menus['editor/title'] ?? []) {
      expect(icons.get(command), command).toMatch(/^\$\([\w-]+\)$/);
    }
  });

  test('keys for walking work in the panel only, each for one command', () => {
    const moves = contributes.keybindings.filter(({ command }) => command in MOVES);
    expect(moves.length).toBeGreaterThan(0);
    for (const { command, when } of moves) {
      expect(when, command).toContain("activeWebviewPanelId == 'attention.panel'");
    }
    const keys = contributes.keybindings.map(({ key, when }) => `${key} ${when}`);
    expect(new Set(keys).size).toBe(keys.length);
  });
});

test('every way to walk has one command', () => {
  const all = ['over', 'into', 'out', 'back', 'start', 'end', 'continue', 'reverse'];
  expect(Object.values(MOVES).sort()).toEqual(all.sort());
  expect(Object.keys(MOVES).filter((command) => !known.includes(command))).toEqual([]);
});

test('the schema for setups is there', () => {
  for (const { url } of contributes.jsonValidation)
    expect(existsSync(new URL(url, root)), url).toBe(true);
});
