"""The calls of the program's functions: which one a hook was called from, its loops and what it read."""

from __future__ import annotations

import weakref


LAZY = -2


class Frame:
    __slots__ = ("code", "number", "function", "loops", "sources", "statement", "reads", "seen", "pending", "numbers",
                 "tensors", "written", "elements", "log", "outer")  # fmt: skip

    def __init__(self, code, number, function):
        self.code, self.number, self.function = code, number, function
        self.loops = []  # iteration of each loop that is running
        self.sources = []  # what each loop's iterable was made of
        self.statement = -1  # whose reads these are:
        self.reads, self.seen = {}, {}
        self.pending = []  # [object, index] that attributes and items are stored in
        self.numbers, self.tensors = {}, {}  # name -> its newest event, and what is known of its object
        self.written = {}  # arrays whose items this frame's loops wrote
        self.outer = []  # what was read outside of the comprehension's element that is being made
        self.log = []  # with sub-expressions: the events that were read, in the order of reading
        self.elements = {}  # id of an element or argument -> what tells whether it is still that, what it was made of

    def begin(self, statement):
        """What is read from now on is the statement's; LAZY: of whichever it is that a generator runs in."""
        if self.statement == statement or (statement == LAZY and self.statement >= 0):
            return
        if self.statement != LAZY:
            self.reads, self.seen, self.outer, self.elements = {}, {}, [], {}
        self.statement = statement

    def made_of(self, value, otherwise):
        """What an element of the statement's tuples, lists and calls was made of."""
        held, reads = self.elements.get(id(value), (None, None))
        is_same = reads is not None and (held() if isinstance(held, weakref.ref) else held) is value
        return reads if is_same else otherwise

    def makes(self, value, reads):
        """Notes what an element was made of, without holding an array."""
        try:
            self.elements[id(value)] = weakref.ref(value), reads
        except TypeError:  # a number or a list
            self.elements[id(value)] = value, reads


class Frames:
    """Frames by identity; a stale entry is known by its code, as each call enters itself anew."""

    def __init__(self):
        self.frames, self._count = {}, 0
        self.outside = Frame(None, 0, 0)
        self.dotted = {}  # "self.heads" -> its newest event, whichever call it was made in

    def enter(self, frame, function, again=False):
        """A new call, or (`again`) the next cell of the module."""
        if again:
            self.outside.code, self.frames[id(frame)] = frame.f_code, self.outside
            return self.outside
        made = self.frames[id(frame)] = Frame(frame.f_code, self._count, function)
        if not self._count:
            self.outside = made
        self._count += 1
        return made

    def of(self, frame):
        """The nearest call that is recorded, which comprehensions and class bodies belong to."""
        frames = self.frames
        while frame is not None:
            found = frames.get(id(frame))
            if found is not None and found.code is frame.f_code:
                return found
            frame = frame.f_back
        return self.outside
