"""A file's text and where its syntax tree stands in it: edits that change only the tokens that change."""
import ast
from typing import Dict, List, NamedTuple, Optional, Tuple


class Edit(NamedTuple):
    """Replaces the characters [start, end) of the file by `text`."""

    start: int
    end: int
    text: str


# How tightly an expression binds; a part that binds less tightly than its place asks for needs parentheses.
ATOM, POWER, UNARY, PRODUCT, SUM = 20, 18, 17, 15, 14
_BINARY = {
    ast.Pow: POWER, ast.Mult: PRODUCT, ast.MatMult: PRODUCT, ast.Div: PRODUCT, ast.FloorDiv: PRODUCT, ast.Mod: PRODUCT,
    ast.Add: SUM, ast.Sub: SUM, ast.LShift: 13, ast.RShift: 13, ast.BitAnd: 12, ast.BitXor: 11, ast.BitOr: 10,
}


def binding(node: ast.AST) -> int:
    """How tightly `node` binds, from 0 (a tuple without parentheses) to ATOM."""
    if isinstance(node, ast.BinOp):
        return _BINARY[type(node.op)]
    if isinstance(node, ast.UnaryOp):
        return 8 if isinstance(node.op, ast.Not) else UNARY
    if isinstance(node, ast.Constant):
        return ATOM
    loose = {ast.Compare: 9, ast.BoolOp: 6, ast.IfExp: 5, ast.Lambda: 4, ast.Starred: 1, ast.Tuple: 0}
    return loose.get(type(node), ATOM)


def _asked(parent: ast.AST, child: ast.AST) -> int:
    """How tightly the place of `child` in `parent` asks for."""
    if isinstance(parent, ast.BinOp):
        own = _BINARY[type(parent.op)]
        if isinstance(parent.op, ast.Pow):
            return own + 1 if child is parent.left else UNARY
        return own if child is parent.left else own + 1
    if isinstance(parent, ast.UnaryOp):
        return 8 if isinstance(parent.op, ast.Not) else UNARY
    if isinstance(parent, ast.Attribute):
        return ATOM
    if isinstance(parent, ast.Subscript):
        return ATOM if child is parent.value else 0
    if isinstance(parent, ast.Call):
        return ATOM if child is parent.func else 1
    if isinstance(parent, ast.Compare):
        return 10
    if isinstance(parent, ast.BoolOp):
        return 8
    if isinstance(parent, ast.Starred):
        return 10
    if isinstance(parent, (ast.IfExp, ast.Tuple, ast.List, ast.keyword, ast.Slice)):
        return 5
    return 0


def shape_of_text(text: str) -> int:
    """How tightly the expression that `text` is binds."""
    try:
        return binding(ast.parse(text.strip(), mode='eval').body)
    except SyntaxError:
        return 0


def _in_word(text: str, at: int) -> bool:
    """Whether a cut before `text[at]` would split a name or a number."""
    return 0 < at < len(text) and (text[at - 1].isalnum() or text[at - 1] in '_.') and (text[at].isalnum() or text[at] in '_.')


class Source:
    """One file: text, tree, parents, and the characters of every node."""

    def __init__(self, text: str):
        self.text = text
        self.tree = ast.parse(text)
        self._lines = text.splitlines(keepends=True) or ['']
        self._starts: List[int] = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line))
        self.parents: Dict[ast.AST, ast.AST] = {}
        for parent in ast.walk(self.tree):
            for child in ast.iter_child_nodes(parent):
                self.parents[child] = parent

    def offset(self, line: int, column_bytes: int) -> int:
        text = self._lines[line - 1] if line <= len(self._lines) else ''
        if text.isascii():
            return self._starts[line - 1] + column_bytes
        return self._starts[line - 1] + len(text.encode('utf-8')[:column_bytes].decode('utf-8', 'replace'))

    def span(self, node: ast.AST) -> Tuple[int, int]:
        return (
            self.offset(node.lineno, node.col_offset),
            self.offset(node.end_lineno or node.lineno, node.end_col_offset or 0),
        )

    def of(self, node: ast.AST) -> str:
        start, end = self.span(node)
        return self.text[start:end]

    def line_start(self, line: int) -> int:
        return self._starts[min(line - 1, len(self._starts) - 1)]

    def indent(self, line: int) -> str:
        text = self._lines[line - 1]
        return text[: len(text) - len(text.lstrip())]

    def replaced(self, node: ast.AST, text: str, binds: Optional[int] = None) -> Edit:
        """The edit that puts `text` in the place of `node`, in parentheses where its place needs them."""
        start, end = self.span(node)
        binds = shape_of_text(text) if binds is None else binds
        inside = self.text[start - 1 : start] == '(' and self.text[end : end + 1] == ')'
        parent = self.parents.get(node)
        if not inside and parent is not None and binds < _asked(parent, node):
            text = '(%s)' % text
        return self.least(start, end, text)

    def least(self, start: int, end: int, text: str) -> Edit:
        """The edit of [start, end) to `text` without the characters that stay as they are at both ends."""
        old = self.text[start:end]
        same = 0
        while same < min(len(old), len(text)) and old[same] == text[same]:
            same += 1
        while same and _in_word(old, same) | _in_word(text, same):
            same -= 1
        rest = 0
        while rest < min(len(old), len(text)) - same and old[-1 - rest] == text[-1 - rest]:
            rest += 1
        while rest and _in_word(old, len(old) - rest) | _in_word(text, len(text) - rest):
            rest -= 1
        return Edit(start + same, end - rest, text[same : len(text) - rest])

    def grouped(self, node: ast.AST, asked: int) -> str:
        """The text of `node`, in parentheses where it binds less tightly than `asked`."""
        text = self.of(node)
        return text if binding(node) >= asked else '(%s)' % text

    def apply(self, edits: Tuple[Edit, ...], start: int = 0, end: Optional[int] = None) -> str:
        """The characters [start, end) after `edits`, which must lie in it and not overlap."""
        end = len(self.text) if end is None else end
        parts, at = [], start
        for edit in sorted(edits):
            parts += [self.text[at : edit.start], edit.text]
            at = max(at, edit.end)
        parts.append(self.text[at:end])
        return ''.join(parts)

    def statement_at(self, line: int, end_line: Optional[int] = None, column: Optional[int] = None) -> Optional[ast.stmt]:
        """The innermost statement that begins on `line` (the first of several); with `column` what a lambda there returns."""
        returned = None if column is None else self._returned_at(self._starts[line - 1] + column - 1, line)
        if returned is not None:
            return returned
        found = [n for n in ast.walk(self.tree) if isinstance(n, ast.stmt) and n.lineno == line]
        if end_line is not None:
            exact = [n for n in found if (n.end_lineno or n.lineno) == end_line]
            found = exact or found
        return min(found, key=lambda n: (n.col_offset, n.end_lineno or 0)) if found else None

    def _returned_at(self, start: int, line: int) -> Optional[ast.stmt]:
        """The body of the lambda that begins at `start`, as a statement of its own."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Lambda) and node.body.lineno == line and self.span(node.body)[0] == start:
                returned = ast.copy_location(ast.Return(node.body), node.body)
                self.parents[returned], self.parents[node.body] = node, returned
                return returned
        return None

    def lambda_of(self, statement: Optional[ast.AST]) -> Optional[ast.Lambda]:
        """The lambda whose body `statement` stands for."""
        parent = self.parents.get(statement) if isinstance(statement, ast.Return) else None
        return parent if isinstance(parent, ast.Lambda) else None

    def function_of(self, node: ast.AST) -> ast.AST:
        """The function whose body `node` is in, or the module."""
        while node in self.parents:
            node = self.parents[node]
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                return node
        return self.tree

    def loop_around(self, node: ast.AST) -> Optional[ast.stmt]:
        """The outermost loop of the same function that `node` is in, or is."""
        found = node if isinstance(node, (ast.For, ast.While)) else None
        while node in self.parents and not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            node = self.parents[node]
            if isinstance(node, (ast.For, ast.While)):
                found = node
        return found

    def block_of(self, statement: ast.stmt) -> List[ast.stmt]:
        """The list of statements that `statement` is one of."""
        parent = self.parents.get(statement, self.tree)
        for field in ('body', 'orelse', 'finalbody'):
            block = getattr(parent, field, None)
            if isinstance(block, list) and statement in block:
                return block
        return [statement]
