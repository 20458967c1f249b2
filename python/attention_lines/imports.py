"""Modules of the person's own, under the program's folder, are rewritten as they are imported."""

from __future__ import annotations

import ast
import importlib.machinery
import importlib.util
import os
import sys

from .rewrite import compile_recorded
from .statements import Source

_FOREIGN = frozenset(("site-packages", "dist-packages", "node_modules", "__pycache__"))


class Files:
    """The files that are rewritten: the chosen one first."""

    def __init__(self, recorder, main, root, expressions):
        self.recorder, self.root, self.expressions = recorder, root, expressions
        self.paths, self.sources, self.modules = [main], [""], {"__main__"}

    def add(self, path, text, cell=None):
        if path != self.paths[0]:
            self.paths.append(path)
            self.sources.append("")
        number = 0 if path == self.paths[0] else len(self.paths) - 1
        self.sources[number] += text
        return Source(number, text, cell)

    def relative(self, path):
        base = os.path.dirname(self.paths[0])
        try:
            return os.path.relpath(path, base).replace(os.sep, "/")
        except ValueError:
            return path

    def is_own(self, path):
        path = os.path.realpath(path)
        try:
            inside = os.path.commonpath([path, self.root]) == self.root
        except ValueError:
            return False
        parts = path[len(self.root) :].split(os.sep)
        return inside and not _FOREIGN.intersection(parts) and not self._in_environment(parts)

    def _in_environment(self, parts):
        folder = self.root
        for part in parts[:-1]:
            folder = os.path.join(folder, part)
            if os.path.exists(os.path.join(folder, "pyvenv.cfg")):
                return True
        return False

    def own_names(self, path):
        """Names of modules that lie beside a file or in the root."""
        found = set()
        for folder in {os.path.dirname(path), self.root}:
            try:
                found.update(each.partition(".")[0] for each in os.listdir(folder))
            except OSError:
                pass
        return found

    def compile(self, data, path, name):
        """The code of a file's bytes; None where it does not parse."""
        try:
            tree = ast.parse(data, path, "exec")
            text = importlib.util.decode_source(data)
        except (SyntaxError, ValueError, UnicodeError):
            return None
        self.modules.add(name)
        return self.recorded(tree, path, self.add(path, text))

    def recorded(self, tree, path, source, flags=0):
        return compile_recorded(tree, path, source, self.recorder.places, self.recorder, flags, self.own_names(path),
                                self.expressions)  # fmt: skip


class Finder:
    """Finds what Python's own finder finds, and rewrites it if it is the person's."""

    def __init__(self, files):
        self.files = files

    def find_spec(self, name, path=None, target=None):
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        loader = getattr(spec, "loader", None)
        if type(loader) is not importlib.machinery.SourceFileLoader or not self.files.is_own(loader.path):
            return None
        try:
            data = loader.get_data(loader.path)
            compile(data, loader.path, "exec", ast.PyCF_ONLY_AST, dont_inherit=True)
        except Exception:
            return None
        spec.loader = Loader(loader.name, loader.path)
        spec.loader.files = self.files
        return spec


class Loader(importlib.machinery.SourceFileLoader):
    def get_code(self, fullname):
        code = None
        try:
            code = self.files.compile(self.get_data(self.path), self.path, fullname)
        except Exception as error:
            self.files.recorder.failed(error)
        return super().get_code(fullname) if code is None else code


def install(files):
    sys.meta_path.insert(0, Finder(files))
