"""Rows and matrices that are Python's own lists of numbers, which have no shape, no version and no weak references."""

from __future__ import annotations

import struct

_DEEPEST, _LARGEST = 4, 1 << 14
_NUMBERS = (float, int)


def shape_of(value):
    """The shape of a list of numbers, or a rectangular one of such lists, one of them a float; None for all else. Of one
    list they may all be whole."""
    shape, level = [], [value]
    while type(level[0]) is list:
        width = len(level[0])
        if not width or len(shape) == _DEEPEST or width * len(level) > _LARGEST:
            return None
        if any(type(each) is not list or len(each) != width for each in level):
            return None
        shape.append(width)
        level = [inner for each in level for inner in each]
    if not shape or any(type(each) not in _NUMBERS for each in level):
        return None
    return tuple(shape) if len(shape) == 1 or float in map(type, level) else None


def flat(value):
    """Its numbers in C order."""
    while type(value[0]) is list:
        value = [inner for each in value for inner in each]
    return value


def is_whole(value):
    """Whether its numbers are all whole: places, counts, heads."""
    return type(value[0]) is not list and all(type(each) is int for each in value)


def bytes_of(value):
    numbers = flat(value)
    return struct.pack(f"<{len(numbers)}d", *numbers)


class Grids:
    """Of which matrix each list is a row, and where in it."""

    def __init__(self):
        self._rows = {}  # id of a list -> (what is known of its matrix, its index there); the matrix keeps its lists

    def place(self, known, value, index=()):
        self._rows[id(value)] = known, index
        if type(value[0]) is list:
            for at, each in enumerate(value):
                self.place(known, each, (*index, at))

    def of(self, value):
        """(what is known of the matrix, the list's index in it); None for other lists, and those that were replaced."""
        found = self._rows.get(id(value))
        if found is None:
            return None
        known, index = found
        inner = known.object()
        for at in index:
            if type(inner) is not list or at >= len(inner):
                return None
            inner = inner[at]
        return found if inner is value else None
