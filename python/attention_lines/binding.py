"""From what a statement bound or wrote to events."""

from __future__ import annotations

import sys

from . import grids, tensors, values
from .events import Events
from .frames import Frames
from .objects import version
from .tensors import ARRAY, DICT, GRID, LIST, MODULE, NUMBER, OBJECT, OTHER, SCALAR, TENSOR, TENSORS, TUPLE

_DEEPEST = 4


class Binding(Events):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.frames = Frames()

    # ---- What was read

    def note_read(self, frame, known, value, whole):
        if whole and self.objects.is_stale(known, value):
            by = None
            if id(value) in frame.seen and frame.statement >= 0:  # what the statement itself changed and hands on
                statement = self.places.statements[frame.statement]
                by = statement.id, frame.number, frame.loops[: statement.depth]
            self.refresh(known, value, by)
        if known.watched is None and known.kind == TENSOR and value.requires_grad:
            self.watch(known, value)
        frame.reads[known.event] = None
        frame.seen[id(value)] = known

    def read_new(self, frame, kind, value, depth):
        """Reads of an object that was not recorded itself: what it contains, or whose memory it is."""
        if kind == TENSOR:
            known = None if self.is_untouchable(value) else self.same_memory(value)
            if known is not None:
                frame.reads[known.event] = None
        elif kind in (TUPLE, LIST, DICT, MODULE) and depth < 3:
            for each in values.elements(kind, value):
                known, inner = self.objects.find(each), self.kinds.of(each)
                if known is not None:
                    self.note_read(frame, known, each, True)
                elif inner in (TUPLE, LIST, DICT, MODULE, TENSOR):
                    self.read_new(frame, inner, each, depth + 1)

    def number_reads(self, frame, loads, reads):
        """Numbers have no identity: they are read by name."""
        own, outside, dotted = frame.numbers, self.frames.outside.numbers, self.frames.dotted
        if not own and not outside and not dotted:
            return
        for name in loads:
            event = own.get(name)
            if event is None:
                event = outside.get(name)
            if event is None:
                event = dotted.get(name)
            if event is not None and event not in reads:
                reads.append(event)

    # ---- What was bound

    def bind_all(self, frame, statement, given, how, reads):
        self.number_reads(frame, statement.loads, reads)
        others = sum(kind != "name" for kind, _ in statement.binds)
        stored, frame.pending = frame.pending[len(frame.pending) - others :], []
        names, bases = iter(given), iter(stored)
        for kind, text in statement.binds:
            if kind == "name":
                value = next(names)
                self.bind(frame, statement, text, value, how, frame.made_of(value, reads))
                continue
            base, key = next(bases, (None, None))
            if base is None:
                continue
            if kind == "item":
                self.item(frame, statement, text, base, key, how, reads)
            elif statement.unversioned and self.kinds.of(base) == TENSOR:
                known = self.objects.find(base)
                if known is not None:
                    self.refresh(known, base, (statement.id, frame.number, frame.loops[: statement.depth]))
            else:
                self.bind(frame, statement, text, values.attribute(base, text.rpartition(".")[2]), how, reads)

    def bind(self, frame, statement, name, value, how, reads, depth=0):
        kind = self.kinds.of(value)
        if kind == OTHER:
            return
        if kind in TENSORS:
            self.tensor(frame, statement, name, kind, value, how, reads)
        elif kind == NUMBER:
            self.number(frame, statement, name, value, how, reads)
        elif kind == MODULE:
            for path, each in values.parameters(value):
                if statement.kind == "for" and self.objects.find(each) is not None:
                    continue
                self.tensor(frame, statement, f"{name}.{path}", TENSOR, each, "leaf", [])
        elif kind == LIST and type(value) is list and value and grids.shape_of(value):
            self.tensor(frame, statement, name, GRID, value, how, reads)
        elif depth < _DEEPEST and not (kind == OBJECT and how == "argument"):
            self.contained(frame, statement, name, kind, value, how, reads, depth)

    def contained(self, frame, statement, name, kind, value, how, reads, depth):
        for text, each in values.items(kind, name, value):
            inner = self.kinds.of(each)
            if inner == NUMBER and (kind == LIST or (kind == TUPLE and how != "return" and not hasattr(value, "_fields"))):
                continue
            made = frame.made_of(each, reads) if inner in TENSORS else reads
            self.bind(frame, statement, text, each, how, made, depth + 1)

    def number(self, frame, statement, name, value, how, reads):
        event = self.event(statement, frame.number, frame.loops[: statement.depth], name, how, reads)
        if event is None:
            return
        kind = self._number_content(event, value)
        frame.numbers[name] = event["id"]
        frame.tensors.pop(name, None)
        if "." in name:
            self.frames.dotted[name] = event["id"]
        if kind == "float":
            known = self.objects.find(value) or self.objects.add(NUMBER, value, strong=True)
            known.event = known.content = event["id"]

    def _number_content(self, event, value):
        kind = "bool" if isinstance(value, bool) else "int" if isinstance(value, int) else "float"
        event["dtype"], event["shape"] = kind, ()
        data = tensors.number_bytes(value)
        if data is None:
            event["value"] = int(value) if kind == "int" else bool(value) if kind == "bool" else float(value)
        else:
            event["at"] = (self.writer.append(data), len(data))
        return kind

    def tensor(self, frame, statement, name, kind, value, how, reads):
        if kind == TENSOR and self.is_untouchable(value):
            return
        known = self.objects.find(value)
        if known is None and kind == TENSOR:
            known = self.adopt(value)
        if how == "update":
            before = known or frame.tensors.get(name)
            before = None if before is None else before.event
            reads = reads if before is None or before in reads else [*reads, before]
            how = "bind" if known is None or kind == SCALAR else how
        elif known is not None and not self.objects.is_stale(known, value):
            reads = [known.event]  # handed on, not computed
        place = statement.id, frame.number, frame.loops[: statement.depth]
        if how == "update" and kind == ARRAY:
            self.objects.written(known, value, place)
        event = self.event(statement, *place[1:], name, how, reads)
        if event is None:
            return
        if known is not None:
            event["alias"] = known.event
        made = self.content(event, kind, value, known, name=name, changed=how == "update")
        if made is not None:
            frame.tensors[name] = made
        frame.numbers.pop(name, None)

    def expression(self, frame, statement, place, text, kind, value, reads):
        """A sub-expression's value, at a place of its own. Its object stays unknown: it is the program's no longer."""
        if kind == TENSOR and self.is_untouchable(value):
            return None
        known = self.objects.find(value)
        event = self.event(statement, frame.number, frame.loops[: statement.depth], text, "expression", reads)
        if event is None:
            return None
        _, event["line"], event["endLine"], event["column"], event["endColumn"] = place
        if kind == NUMBER:
            self._number_content(event, value)
            return event
        if known is not None:
            event["alias"] = known.event
        count = len(self.events)
        self.content(event, kind, value, known, register=False)
        return event if len(self.events) == count else None

    # ---- What was stored

    def item(self, frame, statement, text, base, key, how, reads):
        """`base[key] = ...`: a part of a tensor, or an entry of a container, which `+=` changes where it is."""
        kind = self.kinds.of(base)
        key = key[0] if key is not None else None
        if kind == ARRAY or kind == TENSOR:
            self.write(frame, statement, text, kind, base, key, reads)
        elif kind == DICT and dict.__contains__(base, key):
            self.bind(frame, statement, f"{values.base_text(text)}[{key!r}]", dict.__getitem__(base, key), how, reads)
        elif kind == LIST and isinstance(key, int) and -len(base) <= key < len(base):
            found = self.grids.of(base)
            if found is not None:
                known, index = found
                self.write_grid(frame, statement, text, known, [*index, key % len(base)], reads)
                return
            self.bind(frame, statement, f"{values.base_text(text)}[{key % len(base)}]", base[key], how, reads)

    def write(self, frame, statement, text, kind, base, key, reads):
        known = self.objects.find(base)
        place = statement.id, frame.number, frame.loops[: statement.depth]
        if known is None and kind == TENSOR:
            known = self.adopt(base)
        if known is None:
            self.bind(frame, statement, values.base_text(text), base, "bind", reads)
            return
        if kind == ARRAY:
            self.objects.written(known, base, place)
        if statement.depth:
            frame.written[id(base)] = (known, place)
        event = self.event(statement, *place[1:], text, "write", reads)
        if event is None:
            return
        known.name = values.base_text(text)
        part, inner = self._part(kind, base, key)
        index = event["index"] = values.index_of(key, base.shape)
        event["alias"] = known.event
        self.content(event, inner, part, register=False)
        known.event = event["id"]
        if values.is_whole(index, base.shape):
            known.content, known.at = event["id"], event["at"][0] if "at" in event else None
            self.objects.settle(known, base)
        elif not statement.depth:
            self.refresh(known, base, place)

    def write_grid(self, frame, statement, text, known, index, reads):
        """An entry or a row of a matrix of lists was stored."""
        place, part = (statement.id, frame.number, frame.loops[: statement.depth]), known.object()
        for at in index:
            part = part[at]
        shape = (len(part),) if type(part) is list else ()
        if statement.depth:
            frame.written[id(known)] = (known, place)
        name = text.replace("][", ", ")  # as the entry of an array is written
        event = self.event(statement, *place[1:], name, "write", reads)
        if event is None:
            return
        event["index"], event["alias"] = [*index, *([0, length, 1] for length in shape)], known.event
        event["dtype"], event["shape"] = "float64", shape
        numbers = part if shape else [part]
        if any(type(each) not in (float, int) for each in numbers):
            self.events.pop()
            return
        data = grids.bytes_of(numbers)
        event["at"] = (self.writer.append(data), len(data))
        known.event = event["id"]
        if not statement.depth:
            self.refresh(known, known.object(), place)

    def _part(self, kind, base, key):
        if kind == TENSOR:
            with self.kinds.torch.no_grad():
                return base.detach()[key], TENSOR
        numpy = sys.modules["numpy"]
        part = (base if type(base) is numpy.ndarray else base.view(numpy.ndarray))[key]
        return part, ARRAY if isinstance(part, numpy.ndarray) else SCALAR

    def stored(self, frame, statement):
        """A container got something: its elements that are new are recorded."""
        base = frame.pending[-1][0] if frame.pending else None
        frame.pending = []
        kind, reads, name = self.kinds.of(base), list(frame.reads), statement.targets[0]
        if kind == DICT:
            found = list(dict.items(base))[: values.WIDEST]
        elif kind == LIST and type(base) is list and base and grids.shape_of(base):
            if not grids.is_whole(base):
                self.bind(frame, statement, name, base, "update", reads)
            return
        elif kind == LIST:
            first = max(0, len(base) - 8)
            found = [(at, base[at]) for at in range(first, len(base))]
        else:
            return
        for key, each in found:
            known = self.objects.find(each)
            is_new = known is None or (kind == LIST and key == len(base) - 1)
            # Under its name here, so that it is told from what another of the new elements was computed from.
            is_unnamed = kind == DICT and frame.tensors.get(f"{name}[{key!r}]") is not known
            if (is_new or is_unnamed) and self.kinds.of(each) != NUMBER:
                self.bind(frame, statement, f"{name}[{key!r}]", each, "bind", reads, 1)

    # ---- What was changed

    def check(self, frame, statement):
        """Operands that a call in the statement changed."""
        place = statement.id, frame.number, frame.loops[: statement.depth]
        for known in list(frame.seen.values()):
            value = known.object()
            if value is None:
                continue
            if known.kind == TENSOR:
                if known.version != version(value) or statement.unversioned:
                    self.refresh(known, value, place, self.name_in(frame, statement, known))
            elif known.kind == ARRAY and statement.checks and known.at is not None:
                if self.refresh(known, value, place, self.name_in(frame, statement, known)) is not None:
                    self.objects.written(known, value, place)
                    self.objects.settle(known, value)

    def name_in(self, frame, statement, known):
        """By which of the names that a statement reads it knows an object."""
        for name in statement.loads:
            if frame.tensors.get(name) is known or self.frames.outside.tensors.get(name) is known:
                return name
        return None

    def end_loops(self, frame):
        """The whole of what the loops wrote part by part."""
        written, frame.written = frame.written, {}
        for known, place in written.values():
            value = known.object()
            if value is None or (known.event == known.content and not self.objects.is_stale(known, value)):
                continue
            event = self.event(self.places.statements[place[0]], place[1], [], known.name, "loop-end", [known.event])
            if event is not None:
                event["alias"] = known.event
                self.content(event, known.kind, value, known, changed=True)
