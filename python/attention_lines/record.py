"""The recorder: what the rewritten program calls, and the events that come of it.

No hook raises, holds a tensor longer than the program does, or computes with it.
"""

from __future__ import annotations

import functools
import os
import sys
import threading

from . import tensors
from .frames import Frames
from .gradients import watch
from .objects import Objects, version
from .statements import Places
from .tensors import ARRAY, DICT, JAX, LIST, MODULE, NUMBER, OBJECT, OTHER, SCALAR, TENSOR, TENSORS, TUPLE

_getframe = sys._getframe
_FEW = 16  # of each statement, so many events are kept whatever the others used up
_DEEPEST, _WIDEST = 4, 256


def hook(method):
    """What goes wrong in the recorder is noted, and the program goes on."""

    @functools.wraps(method)
    def guarded(self, *arguments):
        if not self.on:
            return
        try:
            with self.lock:
                method(self, _getframe(1), *arguments)
        except Exception as error:
            self.failed(error)

    return guarded


class Recorder:
    def __init__(self, writer, is_own, max_bytes, max_events):
        self.writer, self.max_bytes, self.max_events = writer, max_bytes, max_events
        self.on, self.lock = True, threading.RLock()
        self.places, self.frames, self.objects = Places(), Frames(), Objects()
        self.kinds = tensors.Kinds(is_own)
        self.events, self.notes, self.leaves = [], [], []
        self.left_bytes = self.left_events = 0
        self.left_statement = None
        self.most = max(64, max_events // 8)
        self.key = Key(self)
        self._failures = 0
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.stop)

    def stop(self):
        self.on = False

    def note(self, kind, source, line, message):
        cell = {} if source is None or source.cell is None else {"cell": source.cell}
        file = 0 if source is None else source.file
        self.notes.append({"kind": kind, "file": file, **cell, "line": line, "message": message})

    def failed(self, error):
        self._failures += 1
        if self._failures == 1:
            place = ""
            trace = error.__traceback__
            while trace is not None:
                place, trace = f"{os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}", trace.tb_next
            self.note("recorder", None, 1, f"not recorded: {type(error).__name__} {error} ({place})")

    # ---- Hooks that hand a value on: nothing in them may raise

    def read(self, value, statement):
        """A value that the statement reads as a whole."""
        if self.on:
            try:
                self._read(value, statement, True, _getframe(1))
            except Exception as error:
                self.failed(error)
        return value

    def part(self, value, statement):
        """A value of which the statement reads an item or an attribute."""
        if self.on and id(value) in self.objects.known:
            try:
                self._read(value, statement, False, _getframe(1))
            except Exception as error:
                self.failed(error)
        return value

    def called(self, value, statement):
        """A function; a module of PyTorch brings its parameters."""
        if self.on and self.kinds.of(value) == MODULE:
            self.read_in(value, statement, _getframe(1))
        return value

    def read_in(self, value, statement, frame):
        try:
            self._read(value, statement, True, frame)
        except Exception as error:
            self.failed(error)

    def base(self, statement, value):
        """The object that an attribute or an item is stored in."""
        if self.on:
            frame = self.frames.of(_getframe(1))
            frame.begin(statement)
            frame.pending.append([value, None])
        return value

    def element(self, value, statement):
        """An element of a comprehension: what was read since the last one made it."""
        if self.on and self.kinds.of(value) in TENSORS:
            frame = self.frames.of(_getframe(1))
            frame.elements[id(value)] = list(frame.reads) if frame.statement == statement else []
        return value

    def returned(self, statement, value):
        self._result(_getframe(1), statement, value, "return")
        return value

    def yielded(self, statement, value):
        self._result(_getframe(1), statement, value, "yield")
        return value

    def computed(self, statement, _entered, value):
        self._result(_getframe(1), statement, value, "return")
        return value

    def walrus(self, statement, value):
        self._walrus(value, statement)
        return value

    # ---- Hooks that stand for themselves

    @hook
    def enter(self, python_frame, function, first=0, *values):
        caller = self.frames.of(python_frame.f_back) if python_frame.f_back else self.frames.outside
        frame = self.frames.enter(python_frame, function)
        self.places.functions[function].calls += 1
        for at, value in enumerate(values):
            self._argument(frame, caller, self.places.statements[first + at], value)

    @hook
    def assigned(self, python_frame, number, *values):
        frame, statement = self.frames.of(python_frame), self.places.statements[number]
        frame.begin(number)
        self._bind_all(frame, statement, values, "bind")
        self._check(frame, statement)
        frame.statement = -1

    @hook
    def augmented(self, python_frame, number, *values):
        frame, statement = self.frames.of(python_frame), self.places.statements[number]
        frame.begin(number)
        self._bind_all(frame, statement, values, "update")
        frame.statement = -1

    @hook
    def evaluated(self, python_frame, number, value):
        frame, statement = self.frames.of(python_frame), self.places.statements[number]
        frame.begin(number)
        if statement.binds:
            self._stored(frame, statement)
        self._check(frame, statement)
        frame.statement = -1

    @hook
    def _walrus(self, python_frame, value, number):
        frame, statement = self.frames.of(python_frame.f_back), self.places.statements[number]
        reads = list(frame.reads)
        self._bind(frame, statement, statement.binds[0][1], value, "bind", reads)

    @hook
    def _result(self, _python_frame, python_frame, number, value, name):
        frame, statement = self.frames.of(python_frame), self.places.statements[number]
        frame.begin(number)
        self._loop_end(frame)
        self._check(frame, statement)
        self._bind(frame, statement, name, value, "return", list(frame.reads))

    @hook
    def loop(self, python_frame, number, depth):
        frame = self.frames.of(python_frame)
        del frame.loops[depth:], frame.sources[depth:]
        frame.loops.append(-1)
        frame.sources.append(None)

    @hook
    def iterated(self, python_frame, number, depth, *values):
        frame, statement = self.frames.of(python_frame), self.places.statements[number]
        del frame.loops[depth + 1 :], frame.sources[depth + 1 :]
        frame.loops[depth] += 1
        if not values:
            return
        if frame.sources[depth] is None:
            frame.sources[depth] = list(frame.reads) if frame.statement == number else []
        for (_, name), value in zip(statement.binds, values):
            kind = self.kinds.of(value)
            if kind != NUMBER and kind != OTHER:
                self._bind(frame, statement, name, value, "bind", frame.sources[depth])

    @hook
    def loop_end(self, python_frame):
        frame = self.frames.of(python_frame)
        del frame.loops[:], frame.sources[:]
        self._loop_end(frame)

    def gradient(self, of, value):
        """Autograd's gradient of an event's tensor."""
        if not self.on:
            return
        try:
            with self.lock:
                source = self.events[of]
                statement = self.places.statements[source["statement"]]
                event = self._event(statement, source["frame"], source["loops"], source["name"] + ".grad", "gradient", [])
                if event is not None:
                    event["of"] = of
                    known = self._content(event, TENSOR, value)
                    if known is not None:
                        self.objects.place(value, known)
        except Exception as error:
            self.failed(error)

    # ---- Reading

    def _read(self, value, number, whole, python_frame):
        known = self.objects.find(value)
        if known is not None:
            frame = self.frames.of(python_frame)
            frame.begin(number)
            self._note_read(frame, known, value, whole)
            return
        kind = self.kinds.of(value)
        if kind == OTHER or kind == NUMBER or kind == OBJECT:
            return
        frame = self.frames.of(python_frame)
        frame.begin(number)
        self._read_new(frame, kind, value, 0)

    def _note_read(self, frame, known, value, whole):
        if whole and self.objects.is_stale(known, value):
            self._refresh(known, value, None)
        frame.reads[known.event] = None
        frame.seen[id(value)] = known

    def _read_new(self, frame, kind, value, depth):
        """Reads of an object that was not recorded itself: what it contains, or whose memory it is."""
        if kind in (TUPLE, LIST, DICT, MODULE):
            for each in self._within(kind, value) if depth < 3 else ():
                known, inner = self.objects.find(each), self.kinds.of(each)
                if known is not None:
                    self._note_read(frame, known, each, True)
                elif inner in (TUPLE, LIST, DICT, MODULE, TENSOR):
                    self._read_new(frame, inner, each, depth + 1)
        elif kind == TENSOR:
            known = self._same_memory(value)
            if known is not None:
                frame.reads[known.event] = None

    def _within(self, kind, value):
        if kind == DICT:
            values = list(dict.values(value))
        elif kind == MODULE:
            values = [each for _, each in _parameters(value)]
        else:
            values = list(value)
        return values[:_WIDEST]

    def _same_memory(self, value):
        """What was recorded of this very memory, if it still holds that."""
        known = self.objects.at_memory(value)
        if known is None:
            return None
        alive = known.object() if known.ref is not None or known.strong is not None else None
        if alive is not None and known.version == version(value):
            return known
        if known.at is None or not self.writer.equals(known.at, bytes(tensors.bytes_of(TENSOR, value, self.kinds.torch))):
            return None
        return known

    def _refresh(self, known, value, by):
        """An 'update' of an object that was changed since it was recorded; `by`: who did it, if that is known."""
        with self.lock:
            return self._refresh_locked(known, value, by)

    def _refresh_locked(self, known, value, by):
        writer = by or (known.root.writer if known.root is not None else None)
        data = tensors.bytes_of(known.kind, value, self.kinds.torch)
        if known.at is not None and self.writer.equals(known.at, bytes(data)):
            self.objects.settle(known, value)
            return None
        source = self.events[known.event]
        number, frame, loops = writer or (source["statement"], source["frame"], source["loops"])
        event = self._event(self.places.statements[number], frame, loops, known.name, "update", [known.event])
        if event is not None:
            event["alias"] = known.event
            self._content(event, known.kind, value, known, changed=True)
        return event

    # ---- Binding

    def _argument(self, frame, caller, statement, value):
        kind = self.kinds.of(value)
        if kind == OTHER or kind == OBJECT or kind == MODULE:
            return
        reads = list(caller.reads) if caller.statement >= 0 else []
        self._bind(frame, statement, statement.name, value, "argument", reads)

    def _bind_all(self, frame, statement, values, how):
        reads = list(frame.reads)
        self._number_reads(frame, statement, reads)
        others = sum(kind != "name" for kind, _ in statement.binds)
        stored, frame.pending = frame.pending[len(frame.pending) - others :], []
        names, bases = iter(values), iter(stored)
        for kind, text in statement.binds:
            if kind == "name":
                self._bind(frame, statement, text, next(names), how, reads)
                continue
            base, key = next(bases, (None, None))
            if base is None:
                continue
            if kind == "item":
                self._item(frame, statement, text, base, key, reads)
            elif base is not None:
                found = _peek(base, text.rpartition(".")[2])
                self._bind(frame, statement, text, found, how, reads)

    def _number_reads(self, frame, statement, reads):
        """Numbers have no identity: they are read by name."""
        for name in statement.loads:
            event = frame.names.get(name)
            if event is None and frame.number:
                event = self.frames.outside.names.get(name)
            if event is not None and event not in reads and not self.events[event]["shape"]:
                reads.append(event)

    def _item(self, frame, statement, text, base, key, reads):
        """`base[key] = ...`: a part of a tensor, or an entry of a container."""
        kind = self.kinds.of(base)
        key = key[0] if key is not None else None
        if kind in (ARRAY, TENSOR):
            self._write(frame, statement, text, kind, base, key, reads)
        elif kind == DICT and dict.__contains__(base, key):
            self._bind(frame, statement, f"{_base_text(text)}[{key!r}]", dict.__getitem__(base, key), "bind", reads)
        elif kind == LIST and isinstance(key, int) and -len(base) <= key < len(base):
            self._bind(frame, statement, f"{_base_text(text)}[{key % len(base)}]", base[key], "bind", reads)

    def _write(self, frame, statement, text, kind, base, key, reads):
        known = self.objects.find(base)
        place = (statement.id, frame.number, frame.loops[: statement.depth])
        if known is None:
            self._bind(frame, statement, text.partition("[")[0], base, "update", reads)
            return
        if known.root is not None:
            known.root.writes += 1
            known.root.writer = place
        if statement.depth:
            frame.written[id(base)] = (known, place)
        event = self._event(statement, frame.number, place[2], text, "write", reads)
        if event is None:
            return
        part, inner = self._part(kind, base, key)
        event["index"] = _index(key, base.shape)
        self._content(event, inner, part, register=False)
        event["alias"] = known.event
        if event["index"] == [] or _is_whole(event["index"], base.shape):
            known.content, known.at = event["id"], event["at"][0] if "at" in event else None
            self.objects.settle(known, base)
        known.event = event["id"]
        if not statement.depth and known.event != known.content:
            self._refresh(known, base, place)

    def _part(self, kind, base, key):
        if kind == TENSOR:
            with self.kinds.torch.no_grad():
                return base.detach()[key], TENSOR
        numpy = sys.modules["numpy"]
        part = (base if type(base) is numpy.ndarray else base.view(numpy.ndarray))[key]
        return part, ARRAY if isinstance(part, numpy.ndarray) else SCALAR

    def _stored(self, frame, statement):
        """A container got something: its elements that are new are recorded."""
        base = frame.pending[-1][0] if frame.pending else None
        frame.pending = []
        kind = self.kinds.of(base)
        reads = list(frame.reads)
        if kind == DICT:
            for key, each in list(dict.items(base))[:_WIDEST]:
                if self.objects.find(each) is None:
                    self._bind(frame, statement, f"{statement.targets[0]}[{key!r}]", each, "bind", reads, 1)
        elif kind == LIST:
            for at in range(max(0, len(base) - 8), len(base)):
                if self.objects.find(base[at]) is None:
                    self._bind(frame, statement, f"{statement.targets[0]}[{at}]", base[at], "bind", reads, 1)

    def _bind(self, frame, statement, name, value, how, reads, depth=0):
        kind = self.kinds.of(value)
        if kind == OTHER:
            return
        if kind in TENSORS:
            self._tensor(frame, statement, name, kind, value, how, reads)
        elif kind == NUMBER:
            self._number(frame, statement, name, value, how, reads, depth)
        elif depth < _DEEPEST:
            self._contained(frame, statement, name, kind, value, how, reads, depth)

    def _contained(self, frame, statement, name, kind, value, how, reads, depth):
        if kind == MODULE:
            self._module(frame, statement, name, value)
            return
        if kind == DICT:
            items = [(f"{name}[{key!r}]", each) for key, each in list(dict.items(value))[:_WIDEST]]
        elif kind == OBJECT:
            if how == "argument":
                return
            items = [(f"{name}.{key}", each) for key, each in _attributes(value)[:_WIDEST]]
        elif hasattr(value, "_fields"):
            items = [(f"{name}.{field}", each) for field, each in zip(value._fields, value)]
        else:
            items = [(f"{name}[{at}]", value[at]) for at in range(min(len(value), _WIDEST))]
        for text, each in items:
            inner = self.kinds.of(each)
            if inner == NUMBER and (kind == LIST or (kind == TUPLE and how != "return")):
                continue
            made = frame.elements.pop(id(each), None) if inner in TENSORS else None
            self._bind(frame, statement, text, each, how, reads if made is None else made, depth + 1)

    def _module(self, frame, statement, name, module):
        for path, each in _parameters(module):
            self._tensor(frame, statement, f"{name}.{path}", TENSOR, each, "leaf", [])

    def _number(self, frame, statement, name, value, how, reads, depth):
        event = self._event(statement, frame.number, frame.loops[: statement.depth], name, how, reads)
        if event is None:
            return
        kind = "bool" if isinstance(value, bool) else "int" if isinstance(value, int) else "float"
        event.update(dtype=kind, shape=[])
        data = tensors.number_bytes(value)
        if data is None:
            event["value"] = int(value) if kind == "int" else bool(value) if kind == "bool" else float(value)
        else:
            event["at"] = [self.writer.append(data), len(data)]
        frame.names[name] = event["id"]
        if kind == "float":
            known = self.objects.find(value) or self.objects.add(NUMBER, value, strong=True)
            known.event = known.content = event["id"]

    def _tensor(self, frame, statement, name, kind, value, how, reads):
        if kind == TENSOR and self._is_untouchable(value):
            return
        known = self.objects.find(value)
        if known is None and kind == TENSOR:
            known = self._adopt(value)
        if how == "update" and known is None and name in frame.names:
            reads = [*reads, frame.names[name]]
        elif how == "update":
            reads = [*reads, known.event] if known is not None and known.event not in reads else reads
        if how == "update" and (known is None or kind == SCALAR):
            how = "bind"
        if known is not None and how != "update" and not self.objects.is_stale(known, value):
            reads = [known.event]  # handed on, not computed
        event = self._event(statement, frame.number, frame.loops[: statement.depth], name, how, reads)
        if event is None:
            if how == "update" and known is not None and known.root is not None:
                known.root.writes += 1
            return
        if how == "update" and known.root is not None:
            known.root.writes += 1
            known.root.writer = (statement.id, frame.number, event["loops"])
        if known is not None:
            event["alias"] = known.event
        self._content(event, kind, value, known, name=name, changed=how == "update")
        frame.names[name] = event["id"]

    def _adopt(self, value):
        """Another object for memory that was recorded: a tensor that autograd saved and gives back."""
        found = self._same_memory(value)
        if found is None:
            return None
        known = self.objects.add(TENSOR, value)
        known.event, known.content, known.at, known.name = found.event, found.content, found.at, found.name
        known.version = version(value)
        known.watched = found.watched if found.version == known.version else None
        return known

    def _is_untouchable(self, value):
        """Tensors of tracers and transforms, which have no numbers of their own."""
        torch = self.kinds.torch
        state = getattr(torch._C, "_get_tracing_state", None)
        if state is not None and state() is not None:
            return True
        functorch = getattr(torch._C, "_functorch", None)
        wrapped = getattr(functorch, "is_functorch_wrapped_tensor", None)
        return type(value).__name__ == "FakeTensor" or (wrapped is not None and wrapped(value))

    # ---- Events

    def _event(self, statement, frame, loops, name, how, reads):
        """A new event without content; None beyond the budget, of which the first iterations are kept."""
        statement.count += 1
        if statement.count > self.most or (len(self.events) >= self.max_events and statement.count > _FEW):
            self.left_events += 1
            if self.left_statement is None:
                self.left_statement = statement.id
            return None
        event = {"id": len(self.events), "statement": statement.id, "frame": frame, "loops": list(loops), "name": name,
                 "how": how, "reads": list(reads)}  # fmt: skip
        self.events.append(event)
        return event

    def _content(self, event, kind, value, known=None, register=True, name=None, changed=False):
        """Dtype, shape and bytes of an event; what is known to be unchanged is not copied."""
        described = tensors.describe(kind, value, self.kinds.torch)
        if described is None:
            self.events.pop()
            return None
        event["dtype"], event["shape"] = described[0], list(described[1])
        if kind == TENSOR:
            event["requiresGrad"] = bool(value.requires_grad)
            if value.grad_fn is not None:
                event["grad_fn"] = type(value.grad_fn).__name__
        fresh = known is not None and not changed and not self.objects.is_stale(known, value)
        if fresh:
            event["same"] = known.content
        else:
            self._copy(event, kind, value)
        if not register:
            return None
        if known is None:
            known = self._register(event, kind, value)
        known.event = event["id"]
        known.name = name or known.name
        if event["how"] == "leaf" and name:
            known.leaf = (event["id"], name)
        if not fresh:
            known.content, known.at = event["id"], event["at"][0] if "at" in event else None
        if event["how"] != "gradient":
            self.objects.settle(known, value)
            self._watch(known, kind, value)
        return known

    def _register(self, event, kind, value):
        if event["how"] != "gradient":
            return self.objects.add(kind, value, strong=kind in (SCALAR,))
        known = self.objects.add(kind, value)
        known.watched, known.version = True, version(value)
        return known

    def _copy(self, event, kind, value):
        data = tensors.bytes_of(kind, value, self.kinds.torch)
        length = len(data) if isinstance(data, bytes) else data.nbytes
        if self.writer.offset + length > self.max_bytes:
            self.left_bytes += length
            if self.left_statement is None:
                self.left_statement = event["statement"]
            return
        event["at"] = [self.writer.append(data), length]

    def _watch(self, known, kind, value):
        if kind != TENSOR or not value.requires_grad or known.watched == known.version:
            return
        known.watched = known.version
        watch(self, value, known.event)
        if value.is_leaf:
            self.leaves.append((known, known.event, known.name))

    def _check(self, frame, statement):
        """Operands that a call in the statement changed."""
        place = (statement.id, frame.number, frame.loops[: statement.depth])
        for known in list(frame.seen.values()):
            value = known.object()
            if value is None:
                continue
            if known.kind == TENSOR:
                if known.version != version(value):
                    self._refresh(known, value, place)
            elif known.kind == ARRAY and statement.checks:
                before = known.event
                self._refresh(known, value, place)
                if known.event != before:
                    known.root.writes += 1
                    known.root.writer = place
                    self.objects.settle(known, value)

    def _loop_end(self, frame):
        """The whole of what the loops wrote part by part."""
        written, frame.written = frame.written, {}
        for known, place in written.values():
            value = known.object()
            if value is None or known.event == known.content and not self.objects.is_stale(known, value):
                continue
            statement = self.places.statements[place[0]]
            event = self._event(statement, place[1], [], known.name, "loop-end", [known.event])
            if event is not None:
                event["alias"] = known.event
                self._content(event, known.kind, value, known, changed=True)

    # ---- The end

    def finish(self):
        """Gradients that leaves have at the end."""
        with self.lock:
            for known, event, name in self.leaves:
                try:
                    value = known.object()
                    if value is not None and value.grad is not None:
                        self._leaf_gradient(known.leaf or (event, name), value.grad)
                except Exception as error:
                    self.failed(error)
            self.on = False

    def _leaf_gradient(self, leaf, gradient):
        of, name = leaf
        source = self.events[of]
        statement = self.places.statements[source["statement"]]
        event = self._event(statement, source["frame"], source["loops"], name + ".grad", "leaf", [])
        if event is not None:
            event["of"] = of
            self._content(event, TENSOR, gradient, self.objects.find(gradient) or self._adopt(gradient))


class Key:
    """`key[index]` is the index, which the recorder has then seen."""

    __slots__ = ("recorder",)

    def __init__(self, recorder):
        self.recorder = recorder

    def __getitem__(self, index):
        recorder = self.recorder
        if recorder.on:
            pending = recorder.frames.of(_getframe(1)).pending
            if pending:
                pending[-1][1] = (index,)
        return index


def _base_text(text):
    """`a[i]` of `a[i][j]`."""
    depth = 0
    for at in range(len(text) - 1, -1, -1):
        depth += (text[at] in ")]}") - (text[at] in "([{")
        if depth == 0:
            return text[:at]
    return text


def _peek(base, attribute):
    """An attribute's value, as far as it is found without running code of the person's."""
    own = getattr(base, "__dict__", None)
    if own is None:
        return None
    for holder in (own, own.get("_parameters"), own.get("_buffers"), own.get("_modules")):
        if isinstance(holder, dict) and attribute in holder:
            return holder[attribute]
    return None


def _attributes(value):
    found = list(getattr(value, "__dict__", {}).items())
    for cls in type(value).__mro__:
        slots = cls.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            slot = cls.__dict__.get(name)
            if type(slot).__name__ == "member_descriptor":
                try:
                    found.append((name, slot.__get__(value)))
                except AttributeError:
                    pass
    return found


def _parameters(module, prefix="", seen=None):
    """(dotted name, parameter or buffer) of a module of PyTorch, each once."""
    seen = {} if seen is None else seen
    found = []
    own = vars(module)
    for holder in (own.get("_parameters") or {}, own.get("_buffers") or {}):
        for name, each in holder.items():
            if each is not None and id(each) not in seen:
                seen[id(each)] = each
                found.append((prefix + name, each))
    for name, each in (own.get("_modules") or {}).items():
        if each is not None:
            found += _parameters(each, f"{prefix}{name}.", seen)
    return found[:_WIDEST]


def _index(key, shape):
    """Numbers, [start, stop, step] and null (a new axis) for each axis that is named; 'fancy' for others."""
    keys = list(key) if isinstance(key, tuple) else [key]
    axes = sum(each is not None and each is not Ellipsis for each in keys)
    found, axis = [], 0
    for each in keys:
        if each is None:
            found.append(None)
        elif each is Ellipsis:
            for _ in range(len(shape) - axes):
                found.append([0, int(shape[axis]), 1])
                axis += 1
        elif isinstance(each, slice):
            found.append([int(part) for part in each.indices(int(shape[axis]))])
            axis += 1
        elif not isinstance(each, bool) and hasattr(type(each), "__index__") and not getattr(each, "shape", ()):
            if type(each).__name__ == "bool_" or str(getattr(each, "dtype", "")).endswith("bool"):
                return "fancy"
            at = each.__index__()
            found.append(at + int(shape[axis]) if at < 0 else at)
            axis += 1
        else:
            return "fancy"
    return found


def _is_whole(index, shape):
    if index == "fancy":
        return False
    spans = [each for each in index if each is not None]
    return all(isinstance(each, list) and each == [0, int(length), 1] for each, length in zip(spans, shape))

