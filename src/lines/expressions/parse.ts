// Python expressions, as far as tensors are computed with them.

export type Expression =
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'text'; readonly value: string }
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'attribute'; readonly of: Expression; readonly name: string }
  | { readonly kind: 'index'; readonly of: Expression; readonly parts: readonly Expression[] }
  | { readonly kind: 'slice'; readonly bounds: readonly (Expression | null)[] }
  | {
      readonly kind: 'call';
      readonly of: Expression;
      readonly args: readonly Expression[];
      readonly named: Readonly<Record<string, Expression>>;
    }
  | { readonly kind: 'unary'; readonly operator: string; readonly of: Expression }
  | {
      readonly kind: 'binary';
      readonly operator: string;
      readonly left: Expression;
      readonly right: Expression;
    }
  | {
      readonly kind: 'choice';
      readonly condition: Expression;
      readonly chosen: Expression;
      readonly otherwise: Expression;
    }
  | { readonly kind: 'list'; readonly items: readonly Expression[] };

/** A statement: what it assigns to, how ("=", "+=", "" of an expression alone), and what. */
export interface Statement {
  readonly targets: readonly Expression[];
  readonly operator: string;
  readonly value: Expression;
}

class Unreadable extends Error {}

const TOKEN =
  /\s*(?:#[^\n]*|\\\n|(\d[\d_]*\.?[\d_]*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)|([A-Za-z_]\w*)|("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|(\*\*=|\/\/=|\*\*|\/\/|==|!=|<=|>=|\+=|-=|\*=|\/=|@=|&=|\|=|\.\.\.|->|:=|[-+*/%@<>=()[\]{},:.&|^~;]))/y;

interface Token {
  readonly kind: 'number' | 'name' | 'text' | 'sign' | 'end';
  readonly text: string;
}

const KEYWORDS = new Set(['lambda', 'for', 'async', 'await', 'yield', 'import', 'assert', 'del']);

function tokensOf(text: string): Token[] {
  const found: Token[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (!match) {
      if (text.slice(at).trim() === '') break;
      throw new Unreadable(text.slice(at, at + 9));
    }
    const [, number, name, string, sign] = match;
    if (number !== undefined) found.push({ kind: 'number', text: number.replaceAll('_', '') });
    else if (name !== undefined) {
      if (KEYWORDS.has(name)) throw new Unreadable(name);
      found.push({ kind: 'name', text: name });
    } else if (string !== undefined) found.push({ kind: 'text', text: string.slice(1, -1) });
    else if (sign !== undefined) found.push({ kind: 'sign', text: sign });
  }
  found.push({ kind: 'end', text: '' });
  return found;
}

/** How tightly operators bind. */
const BINDS: ReadonlyMap<string, number> = new Map(
  [
    ['or'],
    ['and'],
    [],
    ['<', '>', '<=', '>=', '==', '!=', 'is'],
    ['|'],
    ['^'],
    ['&'],
    [],
    ['+', '-'],
    ['*', '/', '//', '%', '@'],
  ].flatMap((operators, n) => operators.map((operator): [string, number] => [operator, n + 1])),
);
const [NOT, SIGN, POWER] = [3, 11, 12];

class Reader {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(text: string) {
    this.#tokens = tokensOf(text);
  }

  get #next(): Token {
    return this.#tokens[this.#at];
  }

  #is(text: string): boolean {
    const { kind, text: own } = this.#next;
    return own === text && (kind === 'sign' || kind === 'name');
  }

  #take(text: string): boolean {
    if (!this.#is(text)) return false;
    this.#at++;
    return true;
  }

  #expect(text: string): void {
    if (!this.#take(text)) throw new Unreadable(`${this.#next.text}, expected ${text}`);
  }

  statement(): Statement {
    if (this.#take('return')) return this.#ended([], '');
    const first = this.#items();
    for (const operator of ['+=', '-=', '*=', '/=', '@=', '//=', '**=', '&=', '|='])
      if (this.#take(operator)) return this.#ended([first], operator);
    // An annotation says nothing of the value.
    if (this.#take(':')) this.#expression();
    const targets: Expression[] = [];
    let value = first;
    while (this.#take('=')) {
      targets.push(value);
      value = this.#items();
    }
    if (this.#next.kind !== 'end') throw new Unreadable(this.#next.text);
    return { targets, operator: targets.length > 0 ? '=' : '', value };
  }

  #ended(targets: readonly Expression[], operator: string): Statement {
    const value = this.#items();
    if (this.#next.kind !== 'end') throw new Unreadable(this.#next.text);
    return { targets, operator, value };
  }

  /** One expression, or several with commas between. */
  #items(): Expression {
    const first = this.#expression();
    if (!this.#is(',')) return first;
    const items = [first];
    while (this.#take(',')) {
      if (this.#next.kind === 'end' || this.#is('=')) break;
      items.push(this.#expression());
    }
    return { kind: 'list', items };
  }

  loop(): { target: Expression; over: Expression } {
    this.#expect('loop');
    const names = [this.#postfix()];
    while (this.#take(',')) names.push(this.#postfix());
    this.#expect('in');
    const target: Expression = names.length === 1 ? names[0] : { kind: 'list', items: names };
    return { target, over: this.#items() };
  }

  #expression(): Expression {
    const chosen = this.#binary(0);
    if (!this.#take('if')) return chosen;
    const condition = this.#binary(0);
    this.#expect('else');
    return { kind: 'choice', condition, chosen, otherwise: this.#expression() };
  }

  #binary(least: number): Expression {
    let left = this.#unary();
    for (;;) {
      const operator = this.#next.kind === 'text' ? '' : this.#next.text;
      const binds = operator === '**' ? POWER : (BINDS.get(operator) ?? 0);
      if (binds === 0 || binds < least) return left;
      this.#at++;
      // Powers are taken from the right.
      const right = this.#binary(operator === '**' ? SIGN : binds + 1);
      left = { kind: 'binary', operator, left, right };
    }
  }

  #unary(): Expression {
    if (this.#take('not')) return { kind: 'unary', operator: 'not', of: this.#binary(NOT) };
    for (const operator of ['-', '+', '~'])
      if (this.#take(operator)) return { kind: 'unary', operator, of: this.#binary(SIGN) };
    return this.#postfix();
  }

  #postfix(): Expression {
    let of = this.#atom();
    for (;;) {
      if (this.#take('.')) of = { kind: 'attribute', of, name: this.#tokens[this.#at++].text };
      else if (this.#take('[')) of = { kind: 'index', of, parts: this.#parts() };
      else if (this.#take('(')) of = { kind: 'call', of, ...this.#arguments() };
      else return of;
    }
  }

  #parts(): Expression[] {
    const parts: Expression[] = [];
    while (!this.#take(']')) {
      parts.push(this.#part());
      if (!this.#is(']')) this.#expect(',');
    }
    return parts;
  }

  #part(): Expression {
    const bounds: (Expression | null)[] = [];
    for (;;) {
      const isEmpty = this.#is(':') || this.#is(',') || this.#is(']');
      bounds.push(isEmpty ? null : this.#expression());
      if (!this.#take(':')) break;
    }
    if (bounds.length > 1) return { kind: 'slice', bounds };
    if (bounds[0] === null) throw new Unreadable('an empty index');
    return bounds[0];
  }

  #arguments(): { args: Expression[]; named: Record<string, Expression> } {
    const args: Expression[] = [];
    const named: Record<string, Expression> = {};
    while (!this.#take(')')) {
      const { kind, text } = this.#next;
      const after = this.#tokens[this.#at + 1];
      if (kind === 'name' && after?.kind === 'sign' && after.text === '=') {
        this.#at += 2;
        named[text] = this.#expression();
      } else args.push(this.#expression());
      if (!this.#is(')')) this.#expect(',');
    }
    return { args, named };
  }

  #atom(): Expression {
    const { kind, text } = this.#next;
    this.#at++;
    if (kind === 'number') return { kind: 'number', value: Number(text) };
    if (kind === 'text') return { kind: 'text', value: text };
    if (kind === 'name' || text === '...') return { kind: 'name', name: text };
    if (text === '(') return this.#closed(')', true);
    if (text === '[') return this.#closed(']', false);
    throw new Unreadable(text);
  }

  #closed(end: string, isGroup: boolean): Expression {
    const items: Expression[] = [];
    let hasComma = false;
    while (!this.#take(end)) {
      items.push(this.#expression());
      if (this.#is(end)) continue;
      this.#expect(',');
      hasComma = true;
    }
    return isGroup && !hasComma && items.length === 1 ? items[0] : { kind: 'list', items };
  }
}

const known = new Map<string, Statement | null>();
const MOST_KNOWN = 2000;

/** Null where it is no statement that this reads. */
export function parseStatement(text: string): Statement | null {
  const found = known.get(text);
  if (found !== undefined) return found;
  const read = reading(() => new Reader(text).statement());
  if (known.size >= MOST_KNOWN) known.clear();
  known.set(text, read);
  return read;
}

/** What a `for` goes over; null where that is not read. */
export const parseLoop = (text: string): { target: Expression; over: Expression } | null =>
  reading(() => new Reader(text.replace(/^\s*for\b/, 'loop').replace(/:\s*$/, '')).loop());

function reading<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (error instanceof Unreadable) return null;
    throw error;
  }
}

/** How a recording names what an expression leads to: "self.w['q']", "heads[0]"; null of what is no such path. */
export function pathOf(expression: Expression): string | null {
  if (expression.kind === 'name') return expression.name;
  if (expression.kind === 'attribute') {
    const of = pathOf(expression.of);
    return of === null ? null : `${of}.${expression.name}`;
  }
  if (expression.kind !== 'index' || expression.parts.length !== 1) return null;
  const of = pathOf(expression.of);
  const [part] = expression.parts;
  if (of === null) return null;
  if (part.kind === 'text') return `${of}['${part.value}']`;
  return part.kind === 'number' ? `${of}[${part.value}]` : null;
}

/** An expression and all that it is made of. */
export function partsOf(expression: Expression): Expression[] {
  const inner = ((): readonly (Expression | null)[] => {
    switch (expression.kind) {
      case 'attribute':
      case 'unary':
        return [expression.of];
      case 'index':
        return [expression.of, ...expression.parts];
      case 'slice':
        return expression.bounds;
      case 'call':
        return [expression.of, ...expression.args, ...Object.values(expression.named)];
      case 'binary':
        return [expression.left, expression.right];
      case 'choice':
        return [expression.condition, expression.chosen, expression.otherwise];
      case 'list':
        return expression.items;
      default:
        return [];
    }
  })();
  return [expression, ...inner.flatMap((each) => (each ? partsOf(each) : []))];
}
