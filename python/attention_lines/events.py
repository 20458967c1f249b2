"""The events of a run, their budgets and the copies of their tensors."""

from __future__ import annotations

import threading

from . import tensors
from .gradients import watch
from .grids import Grids
from .objects import Objects, version
from .statements import Places
from .tensors import GRID, SCALAR, TENSOR

LEAF = "leaf"
_FEW = 16  # of each statement, so many events are kept whatever the others used up


class Events:
    def __init__(self, writer, is_own, max_bytes, max_events):
        self.writer, self.max_bytes, self.max_events = writer, max_bytes, max_events
        self.most = max(64, max_events // 8)  # of one statement
        self.lock = threading.RLock()
        self.places, self.objects, self.kinds = Places(), Objects(), tensors.Kinds(is_own)
        self.grids = Grids()
        self.events, self.notes, self.leaves = [], [], []
        self.left_bytes = self.left_events = 0
        self.left_statement = None
        self.chosen, self.quiet = None, set()  # a function, and the calls that are not recorded because of it
        self.first_calls = {}  # of functions, by name, so many calls are recorded and no more

    def note(self, kind, source, line, message):
        cell = {} if source is None or source.cell is None else {"cell": source.cell}
        file = 0 if source is None else source.file
        self.notes.append({"kind": kind, "file": file, **cell, "line": line, "message": message})

    def event(self, statement, frame, loops, name, how, reads):
        """A new event without content; None beyond the budget, of which the first iterations are kept."""
        if self.quiet and frame in self.quiet:
            return None
        count = statement.count = statement.count + 1
        number = len(self.events)
        if count > self.most or (number >= self.max_events and count > _FEW):
            self.left_events += 1
            if self.left_statement is None:
                self.left_statement = statement.id
            return None
        made = {"id": number, "statement": statement.id, "frame": frame, "loops": loops, "name": name, "how": how,
                "reads": reads}  # fmt: skip
        self.events.append(made)
        return made

    def content(self, event, kind, value, known=None, register=True, name=None, changed=False):
        """Dtype, shape and bytes of an event; what is known to be unchanged is not copied. Gives what is known."""
        described = tensors.describe(kind, value, self.kinds.torch)
        if described is None:
            self.events.pop()
            return None
        event["dtype"], event["shape"] = described
        if kind == TENSOR:
            event["requiresGrad"] = value.requires_grad
            if value.grad_fn is not None:
                event["grad_fn"] = type(value.grad_fn).__name__
        fresh = known is not None and not changed and not self.objects.is_stale(known, value)
        at = None
        if fresh:
            event["same"] = known.content
        else:
            at = self.copy(event, kind, value)
        if not register:
            return None
        if known is None:
            known = self.objects.add(kind, value, kind in (SCALAR, GRID))
        number = known.event = event["id"]
        if name is not None:
            known.name = name
            if event["how"] == "leaf" and (known.leaf is None or not event["frame"]):
                known.leaf = (number, name)
        if not fresh:
            known.content, known.at = number, at
        if event["how"] == "gradient":
            known.version = version(value)
        elif kind in (TENSOR, GRID) or known.root is not None:
            self.objects.settle(known, value)
            if kind == GRID and self.grids.of(value) is None:
                self.grids.place(known, value)
            if kind == TENSOR and value.requires_grad:
                self.watch(known, value)
        return known

    def copy(self, event, kind, value):
        """Where the bytes are; None beyond the budget."""
        data = tensors.bytes_of(kind, value, self.kinds.torch)
        length = len(data)
        if self.writer.offset + length > self.max_bytes:
            self.left_bytes += length
            if self.left_statement is None:
                self.left_statement = event["statement"]
            return None
        at = self.writer.append(data)
        event["at"] = (at, length)
        return at

    def watch(self, known, value):
        """Asks autograd for the gradient: once of a leaf, of others once for each node that made them."""
        state = LEAF if value.is_leaf else known.version
        if known.watched in (LEAF, state):
            return
        known.watched = state
        watch(self, value, known)
        if state == LEAF:
            self.leaves.append((known, known.event, known.name))

    def refresh(self, known, value, by, name=None):
        """An 'update' of an object that was changed since it was recorded; `by`: who did it, if that is known."""
        known.name = name or known.name
        with self.lock:
            if tensors.describe(known.kind, value, self.kinds.torch) is None:
                return None
            if known.at is not None and self._unchanged(known, value):
                self.objects.settle(known, value)
                return None
            root = known.root
            source = self.events[known.event]
            number, frame, loops = by or (root and root.writer) or (source["statement"], source["frame"], source["loops"])
            event = self.event(self.places.statements[number], frame, loops, known.name, "update", [known.event])
            if event is not None:
                event["alias"] = known.event
                self.content(event, known.kind, value, known, changed=True)
            return event

    def _unchanged(self, known, value):
        data = tensors.bytes_of(known.kind, value, self.kinds.torch)
        return self.writer.equals(known.at, data if isinstance(data, bytes) else bytes(data))

    def same_memory(self, value):
        """What was recorded of a tensor's very memory, if it still holds that."""
        known = self.objects.at_memory(value)
        if known is None:
            return None
        if known.object() is not None and known.version == version(value):
            return known
        return known if known.at is not None and self._unchanged(known, value) else None

    def adopt(self, value):
        """Another object for memory that was recorded: a tensor that autograd saved and gives back."""
        found = self.same_memory(value)
        if found is None:
            return None
        known = self.objects.add(TENSOR, value)
        known.event, known.content, known.at, known.name = found.event, found.content, found.at, found.name
        known.version = version(value)
        known.watched = found.watched if found.watched == LEAF or found.version == known.version else None
        return known

    def gradient(self, of, value):
        """Autograd's gradient of an event's tensor."""
        with self.lock:
            source = self.events[of]
            statement = self.places.statements[source["statement"]]
            event = self.event(statement, source["frame"], source["loops"], source["name"] + ".grad", "gradient", [])
            if event is not None:
                event["of"] = of
                known = self.content(event, TENSOR, value)
                if known is not None:
                    self.objects.place(value, known)

    def leaf_gradient(self, leaf, gradient):
        """The `.grad` that a leaf has at the end."""
        of, name = leaf
        source = self.events[of]
        statement = self.places.statements[source["statement"]]
        event = self.event(statement, source["frame"], source["loops"], name + ".grad", "leaf", [])
        if event is not None:
            event["of"] = of
            self.content(event, TENSOR, gradient, self.objects.find(gradient) or self.adopt(gradient))

    def is_untouchable(self, value):
        """Tensors without memory of their own, and those of tracers and transforms."""
        torch = self.kinds.torch
        if value.layout is not torch.strided or value.device.type == "meta":
            return True
        state = getattr(torch._C, "_get_tracing_state", None)
        if state is not None and state() is not None:
            return True
        functorch = getattr(torch._C, "_functorch", None)
        wrapped = getattr(functorch, "is_functorch_wrapped_tensor", None)
        return type(value).__name__ == "FakeTensor" or (wrapped is not None and wrapped(value))

