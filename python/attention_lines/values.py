"""What values contain, found without running code of the person's, and the names of what is found."""

from __future__ import annotations

from .tensors import DICT, MODULE, OBJECT

WIDEST = 256


def items(kind, name, value):
    """(name, element) of a container."""
    if kind == DICT:
        return [(f"{name}[{key!r}]", each) for key, each in list(dict.items(value))[:WIDEST]]
    if kind == OBJECT:
        return [(f"{name}.{key}", each) for key, each in attributes(value)[:WIDEST]]
    if hasattr(value, "_fields"):
        return [(f"{name}.{field}", each) for field, each in zip(value._fields, value)]
    return [(f"{name}[{at}]", each) for at, each in enumerate(list(value)[:WIDEST])]


def elements(kind, value):
    if kind == DICT:
        return list(dict.values(value))[:WIDEST]
    if kind == MODULE:
        return [each for _, each in parameters(value)]
    return list(value)[:WIDEST]


def attributes(value):
    found = list((getattr(value, "__dict__", None) or {}).items())
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


def attribute(base, name):
    """An attribute's value, None where finding it would run code."""
    own = getattr(base, "__dict__", None)
    if isinstance(own, dict):
        for holder in (own, own.get("_parameters"), own.get("_buffers"), own.get("_modules")):
            if isinstance(holder, dict) and name in holder:
                return holder[name]
    return dict(attributes(base)).get(name) if hasattr(type(base), "__slots__") else None


def parameters(module, prefix="", seen=None):
    """(dotted name, parameter or buffer) of a module of PyTorch, each once."""
    seen = {} if seen is None else seen
    found, own = [], vars(module)
    for holder in (own.get("_parameters") or {}, own.get("_buffers") or {}):
        for name, each in holder.items():
            if each is not None and id(each) not in seen:
                seen[id(each)] = each
                found.append((prefix + name, each))
    for name, each in (own.get("_modules") or {}).items():
        if each is not None:
            found += parameters(each, f"{prefix}{name}.", seen)
    return found[:WIDEST]


def base_text(text):
    """`a[i]` of `a[i][j]`."""
    depth = 0
    for at in range(len(text) - 1, -1, -1):
        depth += (text[at] in ")]}") - (text[at] in "([{")
        if depth == 0:
            return text[:at]
    return text


def index_of(key, shape):
    """Numbers, [start, stop, step] and None (a new axis) for each axis that is named; 'fancy' for others."""
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
        elif _is_position(each):
            at = each.__index__()
            found.append(at + int(shape[axis]) if at < 0 else at)
            axis += 1
        else:
            return "fancy"
    return found


def _is_position(value):
    if isinstance(value, bool) or not hasattr(type(value), "__index__") or getattr(value, "shape", ()):
        return False
    return "bool" not in str(getattr(value, "dtype", ""))


def is_whole(index, shape):
    if index == "fancy":
        return False
    spans = [each for each in index if each is not None]
    return all(isinstance(each, list) and each == [0, int(length), 1] for each, length in zip(spans, shape))
