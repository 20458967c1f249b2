// The published JSON Schema says the same as the parser, as far as a schema can.
import { readdirSync, readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { parse } from 'jsonc-parser';
import { describe, expect, test } from 'vitest';
import { NODE_IDS } from '../../src/engine/nodes.ts';
import { parseSetup } from '../../src/formats/parseSetup.ts';
import { BAD, GOOD } from './setupCases.ts';

interface Schema {
  readonly type?: unknown;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly definitions: Readonly<Record<string, Schema & { readonly pattern?: string }>>;
  readonly examples?: readonly unknown[];
  readonly defaultSnippets?: readonly { readonly label: string; readonly body: unknown }[];
}

const schema = JSON.parse(
  readFileSync(new URL('../../schemas/attention.schema.json', import.meta.url), 'utf8'),
) as Schema;
// VS Code's own keywords (markdownDescription, defaultSnippets, …) are not in the standard.
const ajv = new Ajv({ strict: false, allErrors: true });
const validate = ajv.compile(schema);

/** The document as VS Code's validator sees it: comments and trailing commas out, the later of two equal keys. */
const accepts = (text: string): boolean => {
  return validate(parse(text.replace(/^\uFEFF/, ''), [], { allowTrailingComma: true }));
};

test.each(GOOD)('accepts %s', (text) => {
  expect(accepts(text), JSON.stringify(validate.errors)).toBe(true);
});

test.each(BAD)('$text', ({ text, schemaAccepts = false }) => {
  expect(accepts(text)).toBe(schemaAccepts);
});

const EXAMPLES = new URL('../../examples/', import.meta.url);

test.each(readdirSync(EXAMPLES).filter((file) => file.endsWith('.attention.json')))(
  'example %s',
  (file) => {
    const text = readFileSync(new URL(file, EXAMPLES), 'utf8');
    expect(accepts(text), JSON.stringify(validate.errors)).toBe(true);
    expect(parseSetup(text).problems).toEqual([]);
  },
);

/** All property schemas, with the path to each. */
function properties(at: Schema, path: string): [string, Schema][] {
  return Object.entries(at.properties ?? {}).flatMap(([name, property]) => [
    [`${path}.${name}`, property] as [string, Schema],
    ...properties(property, `${path}.${name}`),
  ]);
}

describe('for the editor', () => {
  test.each(properties(schema, ''))('%s is described', (_, property) => {
    expect(property.description?.length).toBeGreaterThan(10);
  });

  test('the keys are those of the parser', () => {
    const { problems } = parseSetup('{"head": "kq", "!": 0}');
    const message = problems.find(({ path }) => path[0] === '!')?.message ?? '';
    const keys = [...message.matchAll(/"([^"]+)"/g)].map(([, key]) => key);
    expect(keys.toSorted()).toEqual(Object.keys(schema.properties ?? {}).toSorted());
  });

  test('node ids', () => {
    expect(schema.definitions['node'].pattern).toBe(`^d?(${NODE_IDS.join('|')})$`);
  });

  test('the snippets for a whole document are good setups', () => {
    for (const { label, body } of schema.defaultSnippets ?? []) {
      const { setup, problems } = parseSetup(JSON.stringify(body));
      expect(problems, label).toEqual([]);
      expect(setup, label).not.toBeNull();
    }
    expect(schema.defaultSnippets).toHaveLength(3);
  });

  test.each(Object.entries(schema.properties ?? {}))(
    'examples and snippets of %s',
    (name, property) => {
      const plain = (snippet: unknown): unknown =>
        JSON.parse(
          JSON.stringify(snippet)
            .replaceAll(/"\^\$\{\d+:([^}]*)\}"/g, '$1')
            .replaceAll(/\$\{\d+:([^}]*)\}/g, '$1'),
        );
      const bodies = (property.defaultSnippets ?? []).map(({ body }) => plain(body));
      for (const value of [...(property.examples ?? []), ...bodies]) {
        validate({ head: 'multihead', [name]: value });
        expect(validate.errors, JSON.stringify(value)).toBeNull();
      }
    },
  );
});
