"""The recorder: the hooks that the rewritten program calls.

No hook raises, holds a tensor longer than the program does, or computes with it.
"""

from __future__ import annotations

import functools
import os
import sys

from .binding import Binding
from .events import Events
from .frames import LAZY
from .tensors import ARRAY, MODULE, NUMBER, OBJECT, OTHER, SCALAR, TENSOR, TENSORS

_getframe = sys._getframe


def hook(method):
    """What goes wrong in the recorder is noted, and the program goes on."""

    @functools.wraps(method)
    def guarded(self, *arguments):
        if self.on:
            try:
                with self.lock:
                    method(self, _getframe(1), *arguments)
            except Exception as error:
                self.failed(error)

    return guarded


class Recorder(Binding):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.on, self.key = True, Key(self)
        self._statements, self._failures = self.places.statements, 0
        self._known, self._frames, self._silent = self.objects.known, self.frames.frames, set()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.stop)

    def stop(self):
        self.on = False

    def failed(self, error):
        self._failures += 1
        if self._failures == 1:
            place, trace = "", error.__traceback__
            while trace is not None:
                place, trace = f"{os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}", trace.tb_next
            self.note("recorder", None, 1, f"not recorded: {type(error).__name__} {error} ({place})")

    # ---- Hooks that hand a value on

    def read(self, value, number):
        """A value that the statement reads as a whole."""
        known = self._known.get(id(value))
        if known is None:
            if type(value) in self._silent:
                return value
        elif known.simple and known.ref() is value:
            python_frame = _getframe(1)
            frame = self._frames.get(id(python_frame))
            if frame is not None and frame.code is python_frame.f_code:
                if frame.statement != number:
                    frame.begin(number)
                frame.reads[known.event] = None
                frame.seen[id(value)] = known
                return value
        if self.on:
            self._try_read(value, number, True, known, _getframe(1))
        return value

    def part(self, value, number):
        """A value of which the statement reads an item or an attribute."""
        known = self._known.get(id(value))
        if known is None or not self.on:
            return value
        python_frame = _getframe(1)
        frame = self._frames.get(id(python_frame))
        if frame is None or frame.code is not python_frame.f_code or known.kind != ARRAY:
            self._try_read(value, number, False, known, python_frame)
        elif known.ref() is value:
            if frame.statement != number:
                frame.begin(number)
            frame.reads[known.event] = None
            frame.seen[id(value)] = known
        return value

    def _try_read(self, *arguments):
        try:
            self._read(*arguments)
        except Exception as error:
            self.failed(error)

    def held(self, value, number):
        """A value of which the statement uses an attribute or a method: all of a tensor, little of what holds tensors."""
        known = self._known.get(id(value))
        if known is not None and self.on:
            self._try_read(value, number, True, known, _getframe(1))
        return value

    def called(self, value, number):
        """A function; a module of PyTorch brings its parameters."""
        if self.on and self.kinds.of(value) == MODULE:
            self._try_read(value, number, True, None, _getframe(1))
        return value

    def _read(self, value, number, whole, known, python_frame):
        frame = self._frames.get(id(python_frame))
        if frame is None or frame.code is not python_frame.f_code:
            frame = self.frames.of(python_frame)
        if frame.statement != number:
            frame.begin(number)
        if known is not None and known.object() is value:
            if known.simple:
                frame.reads[known.event] = None
                frame.seen[id(value)] = known
            else:
                self.note_read(frame, known, value, whole)
            return
        kind = self.kinds.of(value)
        if kind in (OTHER, NUMBER, OBJECT, ARRAY, SCALAR):
            self._silent.add(type(value))
        else:
            self.read_new(frame, kind, value, 0)

    def base(self, number, value):
        """The object that an attribute or an item is stored in."""
        if self.on:
            frame = self.frames.of(_getframe(1))
            frame.begin(number)
            frame.pending.append([value, None])
        return value

    def element_begins(self, number):
        """What is read from now on makes an element of a comprehension."""
        if self.on:
            frame = self.frames.of(_getframe(1))
            frame.begin(number)
            frame.outer.append(frame.reads)
            frame.reads = {}

    def element(self, number, part, _begun, value):
        if self.on:
            frame = self.frames.of(_getframe(1))
            if frame.outer:
                own, frame.reads = frame.reads, frame.outer.pop()
                if own and (self.kinds.of(value) in TENSORS or type(value) is float):
                    reads = list(own)
                    if part >= 0:
                        self.number_reads(frame, self._statements[number].parts[part], reads)
                    frame.makes(value, reads)
                frame.reads.update(own)
        return value

    def returned(self, number, value):
        self._result(_getframe(1), number, value, "return")
        return value

    def yielded(self, number, value):
        self._result(_getframe(1), number, value, "yield")
        return value

    def computed(self, number, _entered, value):
        self._result(_getframe(1), number, value, "return")
        return value

    def walrus(self, number, value):
        self._walrus(_getframe(1), number, value)
        return value

    # ---- Hooks that stand for themselves

    @hook
    def enter(self, python_frame, function, first=0, *given):
        back, entered = python_frame.f_back, self.places.functions[function]
        caller = self.frames.of(back) if back is not None else self.frames.outside
        is_cell = entered.cell is not None and not entered.name and self.frames.outside.code is not None
        frame = self.frames.enter(python_frame, function, is_cell)
        entered.calls += 1
        if self.chosen is not None and not self._is_chosen(entered, caller):
            self.quiet.add(frame.number)
        if self.first_calls and entered.calls > self.first_calls.get(entered.name, entered.calls):
            self.quiet.add(frame.number)
        reads = list(caller.reads) if caller.statement >= 0 else []
        for at, value in enumerate(given):
            kind = self.kinds.of(value)
            if kind != OTHER and kind != OBJECT and kind != MODULE:
                statement = self._statements[first + at]
                self.bind(frame, statement, statement.name, value, "argument", caller.made_of(value, reads))

    def _is_chosen(self, entered, caller):
        """The chosen function, what it calls, and what stands outside of functions."""
        name, chosen = entered.name, self.chosen
        if not name or name == chosen or name.startswith(chosen + ".") or name.endswith("." + chosen):
            return True
        called = self.places.functions[caller.function].name
        return bool(called) and caller.number not in self.quiet

    def bound(self, number, value):
        """`name = ...`, the most usual of statements: as `assigned`, with a short way for a new array."""
        if not self.on:
            return
        try:
            with self.lock:
                self._bound(_getframe(1), self._statements[number], value)
        except Exception as error:
            self.failed(error)

    def _bound(self, python_frame, statement, value):
        frame = self._frames.get(id(python_frame))
        if frame is None or frame.code is not python_frame.f_code:
            frame = self.frames.of(python_frame)
        if frame.statement != statement.id:
            frame.begin(statement.id)
        if statement.checks or self.kinds.torch is not None:
            self.check(frame, statement)
        reads, name = list(frame.reads), statement.targets[0]
        if frame.numbers or self.frames.outside.numbers:
            self.number_reads(frame, statement.loads, reads)
        frame.statement = -1
        known = self._known.get(id(value))
        if self.kinds.of(value) != ARRAY or (known is not None and known.object() is value):
            self.bind(frame, statement, name, value, "bind", reads)
            return
        event = self.event(statement, frame.number, frame.loops[: statement.depth], name, "bind", reads)
        if event is not None:
            frame.tensors[name] = self.content(event, ARRAY, value, None, True, name)
            if frame.numbers:
                frame.numbers.pop(name, None)

    @hook
    def assigned(self, python_frame, number, *given):
        frame, statement = self.frames.of(python_frame), self._statements[number]
        frame.begin(number)
        self.check(frame, statement)
        self.bind_all(frame, statement, given, "bind", list(frame.reads))
        frame.statement = -1

    @hook
    def augmented(self, python_frame, number, *given):
        frame, statement = self.frames.of(python_frame), self._statements[number]
        frame.begin(number)
        self.bind_all(frame, statement, given, "update", list(frame.reads))
        frame.statement = -1

    @hook
    def evaluated(self, python_frame, number, _value):
        frame, statement = self.frames.of(python_frame), self._statements[number]
        frame.begin(number)
        if statement.binds:
            self.stored(frame, statement)
        self.check(frame, statement)
        frame.statement = -1

    @hook
    def _walrus(self, _own, python_frame, number, value):
        frame, statement = self.frames.of(python_frame), self._statements[number]
        self.bind(frame, statement, statement.targets[0], value, "bind", list(frame.reads))

    @hook
    def _result(self, _own, python_frame, number, value, name):
        frame, statement = self.frames.of(python_frame), self._statements[number]
        frame.begin(number)
        self.end_loops(frame)
        self.check(frame, statement)
        reads = list(frame.reads)
        self.number_reads(frame, statement.loads, reads)
        self.bind(frame, statement, name, value, "return", reads)

    @hook
    def loop(self, python_frame, number, depth):
        frame = self.frames.of(python_frame)
        del frame.loops[depth:], frame.sources[depth:]
        frame.loops.append(-1)
        frame.sources.append(None)

    @hook
    def iterated(self, python_frame, number, depth, *given):
        frame, statement = self.frames.of(python_frame), self._statements[number]
        del frame.loops[depth + 1 :], frame.sources[depth + 1 :]
        frame.loops[depth] += 1
        if not given:
            return
        if frame.sources[depth] is None:
            frame.sources[depth] = list(frame.reads) if frame.statement in (number, LAZY) else []
        for (_, name), value in zip(statement.binds, given):
            kind = self.kinds.of(value)
            if kind != NUMBER and kind != OTHER:
                made = frame.made_of(value, frame.sources[depth])
                self.bind(frame, statement, name, value, "bind", made)
        frame.statement = -1

    @hook
    def loop_end(self, python_frame):
        frame = self.frames.of(python_frame)
        del frame.loops[:], frame.sources[:]
        self.end_loops(frame)

    def gradient(self, of, value):
        if self.on:
            try:
                Events.gradient(self, of, value)
            except Exception as error:
                self.failed(error)

    def finish(self):
        """The gradients that leaves have at the end; nothing after that."""
        with self.lock:
            for known, event, name in self.leaves:
                try:
                    value = known.object()
                    if value is not None and value.grad is not None:
                        self.leaf_gradient(known.leaf or (event, name), value.grad)
                except Exception as error:
                    self.failed(error)
            self.on = False


class ExpressionRecorder(Recorder):
    """Records sub-expressions too, with what each of them was computed from."""

    def _logged(self, value, python_frame):
        known = self._known.get(id(value))
        if known is not None and known.object() is value:
            frame = self.frames.of(python_frame)
            if known.event in frame.reads:
                frame.log.append(known.event)

    def read(self, value, number):
        self._reading(value, number, True, _getframe(1))
        return value

    def held(self, value, number):
        self._reading(value, number, True, _getframe(1))
        return value

    def part(self, value, number):
        self._reading(value, number, False, _getframe(1))
        return value

    def _reading(self, value, number, whole, python_frame):
        if self.on:
            try:
                self._read(value, number, whole, self._known.get(id(value)), python_frame)
                self._logged(value, python_frame)
            except Exception as error:
                self.failed(error)

    def begun(self):
        return len(self.frames.of(_getframe(1)).log) if self.on else 0

    def expressed(self, number, begun, value):
        self._expressed(_getframe(1), number, begun, value)
        return value

    @hook
    def _expressed(self, _own, python_frame, number, begun, value):
        kind = self.kinds.of(value)
        if kind not in TENSORS and kind != NUMBER:
            return
        frame = self.frames.of(python_frame)
        statement, place, text = self.places.expressions[number]
        reads = list(dict.fromkeys(frame.log[begun:]))
        made = self.expression(frame, statement, place, text, kind, value, reads)
        if made is not None:
            frame.log[begun:] = [made["id"]]


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
