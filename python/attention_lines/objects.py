"""Which object was last recorded as which event, found again by identity or, in PyTorch, by memory."""

from __future__ import annotations

import weakref

from . import grids
from .tensors import ARRAY, GRID, TENSOR


class Root:
    """The array that owns the memory of views, and how often that memory was written; made when a view is met."""

    __slots__ = ("ref", "writes", "writer")

    def __init__(self, owner):
        self.ref, self.writes, self.writer = weakref.ref(owner), 0, None


class Known:
    """A recorded object: its newest event, the event that has its content, and its state at that time."""

    __slots__ = ("ref", "strong", "kind", "event", "content", "root", "version", "at", "watched", "name",
                 "leaf", "simple")  # fmt: skip

    def __init__(self, kind, value, strong):
        self.kind, self.root, self.version, self.at, self.watched, self.name, self.leaf = kind, None, 0, None, None, "", None
        self.strong, self.ref = (value, None) if strong else (None, weakref.ref(value))
        self.event = self.content = -1
        self.simple = kind == ARRAY  # no view of its memory is known: it is as it was recorded

    def object(self):
        return self.strong if self.ref is None else self.ref()


class Objects:
    def __init__(self):
        self.known = {}  # id of an object -> Known, valid while the object lives
        self._roots = {}  # id of an owner -> Root
        self._array = None  # NumPy's array type, once there is an array
        self._memory = {}  # where and how a tensor of PyTorch lies in memory -> Known

    def find(self, value):
        known = self.known.get(id(value))
        return known if known is not None and known.object() is value else None

    def add(self, kind, value, strong=False):
        known = Known(kind, value, strong)
        if kind == ARRAY and value.base is not None:
            self._rooted(known, self.root(value))
        self.known[id(value)] = known
        return known

    def root(self, array):
        if self._array is None:
            self._array = _array_type(array)
        owner = array
        while isinstance(owner.base, self._array):
            owner = owner.base
        root = self._roots.get(id(owner))
        if root is None or root.ref() is not owner:
            root = self._roots[id(owner)] = Root(owner)
            known = self.find(owner)
            if known is not None:
                self._rooted(known, root)
        return root

    def _rooted(self, known, root):
        known.root, known.version, known.simple = root, root.writes, False

    def written(self, known, array, writer):
        """Notes that an array's memory was written, which all its views see."""
        if known.root is None:
            self._rooted(known, self.root(array))
        known.root.writes += 1
        known.root.writer = writer

    def settle(self, known, value):
        """Takes the present state as the one that was recorded."""
        if known.kind == ARRAY:
            if known.root is not None:
                known.version = known.root.writes
        elif known.kind == GRID:
            known.version = grids.flat(value)
        elif known.kind == TENSOR:
            known.version = version(value)
            self._memory[layout(value)] = known

    def place(self, value, known):
        self._memory[layout(value)] = known

    def at_memory(self, value):
        """What was recorded of the same memory in the same layout; it may have been written or freed since."""
        return self._memory.get(layout(value))

    def is_stale(self, known, value):
        if known.kind == ARRAY:
            return known.root is not None and known.version != known.root.writes
        if known.kind == GRID:
            return grids.shape_of(value) is None or known.version != grids.flat(value)
        return known.kind == TENSOR and known.version != version(value)


def _array_type(array):
    return next(each for each in type(array).__mro__ if each.__module__ == "numpy" and each.__name__ == "ndarray")


def layout(tensor):
    return tensor.data_ptr(), tuple(tensor.shape), tensor.stride(), tensor.dtype


def version(tensor):
    try:
        return tensor._version
    except RuntimeError:  # inference mode keeps none
        return -1
