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
    readonly walkthroughs?: {
      steps: { description: string; media: { svg: string }; completionEvents?: string[] }[];
    }[];
    readonly jsonValidation: { url: string }[];
    readonly languages: { id: string; filenamePatterns: string[] }[];
    readonly jsonLanguageParticipants: { languageId: string; comments: boolean }[];
    readonly configuration: { properties: Readonly<Record<string, unknown>> };
  };
  readonly activationEvents: string[];
}

const root = new URL('../../', import.meta.url);
const { contributes, activationEvents } = JSON.parse(
  readFileSync(new URL('package.json', root), 'utf8'),
) as Manifest;
const known: string[] = Object.values(Command);

test('every command of the code is contributed, and no other', () => {
  expect(contributes.commands.map(({ command }) => command).sort()).toEqual([...known].sort());
});

test('titles are told apart and filed under the extension', () => {
  const titles = contributes.commands.map(({ title }) => title);
  expect(new Set(titles).size).toBe(titles.length);
  expect(contributes.commands.every(({ category }) => category.startsWith('Attention'))).toBe(true);
});

describe('the palette', () => {
  const label = ({ category, title }: { category: string; title: string }): string =>
    `${category}: ${title}`;
  const hidden = new Map(
    contributes.menus['commandPalette'].map(({ command, when }) => [command, when]),
  );

  test.each(['gradient', 'backprop', 'attention'])(
    'finds the main command by "%s", before all others',
    (word) => {
      const found = contributes.commands
        .map(label)
        .filter((each) => each.toLowerCase().includes(word))
        .sort((a, b) => a.localeCompare(b));
      expect(found[0]).toBe('Attention Gradient: Step Attention Backprop');
    },
  );

  test('hides what needs a panel while there is none', () => {
    for (const command of [...Object.keys(MOVES), Command.OpenSetup, Command.FirstDivergence])
      expect(hidden.get(command), command).toContain('attention.hasPanel');
    for (const command of [Command.Step, Command.NewSetup, Command.Compare])
      expect(hidden.has(command), command).toBe(false);
  });
});

test('the extension is woken by its own files and Python’s, without a search for them', () => {
  expect(activationEvents).toEqual([
    'onWebviewPanel:attention.panel',
    'onLanguage:attention-setup',
    'onLanguage:python',
  ]);
  const [language] = contributes.languages;
  expect(language).toMatchObject({
    id: 'attention-setup',
    filenamePatterns: ['*.attention.json'],
  });
  expect(contributes.jsonLanguageParticipants).toEqual([
    { languageId: language.id, comments: true },
  ]);
});

test('the settings of the code are those of package.json, with their defaults', () => {
  const code = readFileSync(new URL('src/extension/settings.ts', root), 'utf8');
  const used = [...code.matchAll(/(?:read|<string>)\('([\w.]+)'\)|get<string>\('(\w+)'\)/g)].map(
    ([, read, got]) => `attention.${read ?? got}`,
  );
  expect(Object.keys(contributes.configuration.properties).sort()).toEqual(
    [...new Set(used)].sort(),
  );
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

  test('every step of the walkthrough has a picture of its own', () => {
    const pictures = (contributes.walkthroughs ?? []).flatMap(({ steps }) =>
      steps.map(({ media }) => media.svg),
    );
    expect(new Set(pictures).size).toBe(pictures.length);
    for (const picture of pictures) expect(existsSync(new URL(picture, root)), picture).toBe(true);
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
