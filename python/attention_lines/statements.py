"""The places of a program: its statements and functions, numbered over all files."""

from __future__ import annotations

import ast
import re


class Statement:
    """A statement, or the part of one that binds: its place, what it reads and binds, how often it was recorded."""

    __slots__ = ("id", "file", "place", "function", "kind", "text", "loads", "targets", "binds", "depth", "checks",
                 "unversioned", "count", "name", "parts")  # fmt: skip

    def __init__(self, number, file, place, function, kind, text, depth):
        self.id, self.file, self.place, self.function, self.kind = number, file, place, function, kind
        self.text, self.depth = text, depth
        self.loads, self.targets = [], []
        self.parts = []  # of elements and arguments: what each of them loads
        self.binds = ()  # ("name", text) or ("attribute", text) or ("item", text), in the order of binding
        self.checks = False  # whether a call in it may change an operand
        self.unversioned = ".data" in text and re.search(r"\.data\b", text) is not None  # PyTorch counts no change of it
        self.count = 0
        self.name = ""

    def header(self):
        line, end_line, column, end_column = self.place[1:]
        place = {} if self.place[0] is None else {"cell": self.place[0]}
        place.update(line=line, endLine=end_line, column=column, endColumn=end_column)
        return {"file": self.file, **place, "function": self.function, "kind": self.kind, "text": self.text,
                "loads": self.loads, "targets": self.targets}  # fmt: skip


class Function:
    __slots__ = ("id", "file", "name", "line", "end_line", "calls", "cell")

    def __init__(self, number, file, name, line, end_line, cell=None):
        self.id, self.file, self.name, self.line, self.end_line, self.calls = number, file, name, line, end_line, 0
        self.cell = cell

    def header(self):
        cell = {} if self.cell is None else {"cell": self.cell}
        return {"file": self.file, "name": self.name, "line": self.line, "endLine": self.end_line, **cell,
                "calls": self.calls}  # fmt: skip


class Source:
    """One file's (or cell's) text: places in characters from 1, and the text of a node."""

    def __init__(self, file, text, cell=None):
        self.file, self.text, self.cell = file, text, cell
        self._lines = text.splitlines(keepends=True) if "\f" not in text else _split(text)
        self._ascii = text.isascii()

    def place(self, begin, end=None):
        """(cell, line, endLine, column, endColumn) from the start of one node to the end of another."""
        end = end or begin
        line, end_line = begin.lineno, getattr(end, "end_lineno", None) or begin.lineno
        column = self._column(line, begin.col_offset)
        end_column = self._column(end_line, getattr(end, "end_col_offset", None) or begin.col_offset)
        return self.cell, line, end_line, column, end_column

    def _column(self, line, offset):
        if self._ascii or line > len(self._lines):
            return offset + 1
        return len(self._lines[line - 1].encode("utf-8")[:offset].decode("utf-8", "replace")) + 1

    def segment(self, begin, end=None):
        _, line, end_line, column, end_column = self.place(begin, end)
        lines = self._lines[line - 1 : end_line]
        if not lines:
            return ""
        lines[-1] = lines[-1][: end_column - 1]
        lines[0] = lines[0][column - 1 :]
        return "".join(lines).replace("\r\n", "\n")


def _split(text):
    """Lines as Python counts them: a form feed ends none."""
    return [line + "\n" for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]


class Places:
    """All statements and functions of a run."""

    def __init__(self):
        self.statements, self.functions, self.expressions = [], [], []

    def statement(self, source, place, function, kind, text, depth):
        made = Statement(len(self.statements), source.file, place, function, kind, text, depth)
        self.statements.append(made)
        return made

    def expression(self, statement, place, text):
        self.expressions.append((statement, place, text))
        return len(self.expressions) - 1

    def function(self, source, name, line, end_line):
        made = Function(len(self.functions), source.file, name, line, end_line, source.cell)
        self.functions.append(made)
        return made


def loads_of(source, nodes):
    """The names, dotted and subscripted texts that the expressions read, each once."""
    found = {}

    def visit(node):
        if isinstance(node, (ast.Name, ast.Attribute, ast.Subscript)) and isinstance(node.ctx, ast.Load):
            found.setdefault(source.segment(node))
        for child in ast.iter_child_nodes(node):
            visit(child)

    for node in nodes:
        if node is not None:
            visit(node)
    return list(found)
