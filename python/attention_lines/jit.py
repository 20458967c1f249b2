"""Functions that something else compiles: they are left as they are, and it is said what to do instead."""

from __future__ import annotations

import ast

from .libraries import INSTEAD, JITS


class Jits:
    """Which functions and classes of a module are handed to a compiler, by its text."""

    def __init__(self, tree):
        self._names = {}  # local name -> dotted name of what was imported
        self._handed = {}  # name of a function or class -> the compiler
        self._lambdas = {}
        made = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for each in node.names:
                    local = each.asname or each.name.partition(".")[0]
                    self._names[local] = each.name if each.asname else local
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                for each in node.names:
                    self._names[each.asname or each.name] = f"{node.module}.{each.name}"
            elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
                for target in node.targets:
                    if isinstance(target, ast.Name) and isinstance(node.value.func, ast.Name):
                        made[target.id] = node.value.func.id
        for node in ast.walk(tree) if self._relevant() else ():
            compiler = self._compiler(node.func) if isinstance(node, ast.Call) else None
            for given in node.args[:1] if compiler else ():
                inner = given.func if isinstance(given, ast.Call) else given
                if isinstance(inner, ast.Lambda):
                    self._lambdas[inner] = compiler
                if isinstance(inner, ast.Name):
                    self._handed[made.get(inner.id, inner.id)] = compiler

    def _relevant(self):
        return any(name.partition(".")[0] in JITS for name in self._names.values())

    def _compiler(self, node):
        """The dotted name of a compiler that an expression names, or None."""
        parts = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or node.id not in self._names:
            return None
        dotted = ".".join([self._names[node.id], *reversed(parts)])
        root, _, rest = dotted.partition(".")
        return dotted if rest in JITS.get(root, ()) or (root == "numba" and rest.startswith("cuda.jit")) else None

    def _of_decorator(self, node):
        if isinstance(node, ast.Call):
            inner = [self._compiler(each) for each in node.args[:1]]  # partial(jax.jit, ...)
            return self._compiler(node.func) or (inner and inner[0])
        return self._compiler(node)

    def of(self, node):
        """What is said of a function that is compiled; None of others."""
        compilers = [self._of_decorator(each) for each in node.decorator_list] + [self._handed.get(node.name)]
        return next((_said(node.name, each) for each in compilers if each), None)

    def of_class(self, node):
        """The same of a class whose instances are compiled."""
        compilers = [self._of_decorator(each) for each in node.decorator_list] + [self._handed.get(node.name)]
        return next((_said(node.name, each) for each in compilers if each), None)

    def has(self, node):
        return node in self._lambdas


def _said(name, compiler):
    instead = INSTEAD.get(compiler.partition(".")[0], "run it uncompiled")
    return f"{name} is compiled by {compiler}, which cannot be looked into: {instead}"
