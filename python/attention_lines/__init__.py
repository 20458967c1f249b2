"""Runs a Python program unchanged and records the tensors that its statements make.

Standard library only; it uses the NumPy, PyTorch or JAX that the program itself imports, and knows
nothing of attention. Run as `python3 attention_lines --record OUT FILE.py -- ARGS...`.
"""

import builtins
import importlib.machinery
import sys

BUILTINS = dict(vars(builtins))


class _Loader(importlib.machinery.SourceFileLoader):
    """Gives a module of this package built-ins of its own: a program may put others in the place of Python's."""

    def exec_module(self, module):
        module.__dict__["__builtins__"] = BUILTINS
        super().exec_module(module)


class _Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        spec = importlib.machinery.PathFinder.find_spec(name, path, target) if name.startswith(__name__ + ".") else None
        if spec is not None:
            spec.loader = _Loader(name, spec.origin)
        return spec


sys.meta_path.insert(0, _Finder)
try:
    from . import main
finally:
    sys.meta_path.remove(_Finder)

__all__ = ["main"]
