"""What a program loads from files, with other numbers or of other sizes: the edits of `vary` call these functions."""

from __future__ import annotations

import sys
from typing import Any, Callable, List, Set, Tuple

MODULE = __name__
_seen: Set[int] = set()
"""Sizes of what was loaded, while they are asked for."""


def shifted(value: Any, k: int) -> Any:
    """
    Other numbers of the same shape and type, of all that an archive or a dictionary holds: near those that were there for
    an odd `k`, others in all places for an even one. What is no tensor of floating point numbers stays, and so do whole
    numbers: masks, positions, lengths.
    """
    return _each(value, lambda held: _shifted(held, k))


def resized(value: Any, was: int, now: int) -> Any:
    """Every axis of `was` entries with `now` of them, in all tensors of it: the first ones, or more that go on from there."""
    return _each(value, lambda held: _resized(held, was, now))


def noted(value: Any) -> Any:
    """The same; the sizes of its tensors are among those that `sizes_of` gives."""
    return _each(value, _noted)


def sizes_of(run: Callable[[], None]) -> List[int]:
    """Sizes of the tensors that `run` loads through `noted`."""
    _seen.clear()
    run()
    return sorted(_seen)


def _each(value: Any, change: Callable[[Any], Any]) -> Any:
    """`value` with `change` made to every tensor in it: of a dictionary, of lists of numbers, of an archive when it is read."""
    if isinstance(value, dict):
        for key in list(value):
            value[key] = _each(value[key], change)
        return value
    if isinstance(value, list):
        array = _numbers(value)
        return [_each(part, change) for part in value] if array is None else change(array).tolist()
    kind = type(value)
    if kind.__name__ == "NpzFile":
        get = kind.__getitem__
        value.__class__ = type("NpzFile", (kind,), {"__getitem__": lambda self, key: change(get(self, key))})
        if change is _noted:
            for key in value.files:
                value[key]
        return value
    return change(value)


def _numbers(value: List[Any]) -> Any:
    """A nested list of floating point numbers as an array, or None."""
    numpy = sys.modules.get("numpy")
    first: Any = value
    while isinstance(first, list) and first:
        first = first[0]
    if numpy is None or not isinstance(first, float):
        return None
    try:
        array = numpy.array(value, dtype=numpy.float64)
    except (TypeError, ValueError):
        return None
    return array if array.ndim else None


def _noted(value: Any) -> Any:
    _seen.update(int(n) for n in _shape(value))
    return value


def _shape(value: Any) -> Tuple[int, ...]:
    return tuple(value.shape) if _library(value) else ()


def _library(value: Any) -> str:
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        return "torch"
    return "numpy" if numpy is not None and isinstance(value, numpy.ndarray) else ""


def _shifted(value: Any, k: int) -> Any:
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    if _library(value) == "torch" and value.is_floating_point():
        if bool((value == value.round()).all()):
            return value
        wave = torch.sin(k + torch.arange(value.numel(), dtype=torch.float64)).reshape(value.shape)
        base = value.detach() if k % 2 else value.detach().flatten().flip(0).reshape(value.shape)
        return (base + 0.1 * wave.to(value.dtype)).requires_grad_(value.requires_grad)
    if _library(value) == "numpy" and value.dtype.kind == "f":
        if bool((value == numpy.round(value)).all()):
            return value
        base = value if k % 2 else value.reshape(-1)[::-1].reshape(value.shape)
        return (base + 0.1 * numpy.sin(k + numpy.arange(value.size)).reshape(value.shape)).astype(value.dtype)
    return value


def _resized(value: Any, was: int, now: int) -> Any:
    axes = [axis for axis, length in enumerate(_shape(value)) if length == was]
    if not axes:
        return value
    library = sys.modules[_library(value)]
    of = value.detach() if _library(value) == "torch" else value
    for axis in axes:
        at = [n % was for n in range(now)]
        of = of[(slice(None),) * axis + (library.asarray(at),)]
    if now > was:
        # Entries that are repeated would be equal.
        more = _shifted(of, 3)
        kept = tuple(slice(0, was) if axis in axes else slice(None) for axis in range(of.ndim))
        if more is not of:
            more[kept] = of[kept]
        of = more
    return of.requires_grad_(value.requires_grad) if _library(value) == "torch" and of.is_floating_point() else of
