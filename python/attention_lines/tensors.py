"""What a value is, and its bytes: NumPy's arrays and scalars, PyTorch's tensors, JAX's arrays, Python's numbers and
matrices of them."""

from __future__ import annotations

import ctypes
import math
import struct
import sys

from . import grids

(OTHER, ARRAY, SCALAR, TENSOR, JAX, NUMBER, TUPLE, LIST, DICT, MODULE, OBJECT, GRID) = range(12)
TENSORS = frozenset((ARRAY, SCALAR, TENSOR, JAX))

_ARRAY_KINDS = frozenset("fiubc")
_NAMES = {}  # dtype of NumPy -> its name, "" where it holds no numbers; NumPy takes long to say it


class Kinds:
    """The kind of each type, found out once."""

    def __init__(self, is_own):
        self._is_own = is_own
        self._known = {
            int: NUMBER, float: NUMBER, bool: NUMBER, str: OTHER, bytes: OTHER, type(None): OTHER,
            tuple: TUPLE, list: LIST, dict: DICT, range: OTHER, slice: OTHER,
        }  # fmt: skip
        self.torch = None

    def of(self, value):
        kind = self._known.get(type(value))
        return self._find(type(value)) if kind is None else kind

    def _find(self, cls):
        kind = self._classify(cls)
        self._known[cls] = kind
        return kind

    def _classify(self, cls):
        numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
        if torch is not None and hasattr(torch, "Tensor"):
            self.torch = torch
            if issubclass(cls, torch.Tensor):
                return TENSOR
            module = getattr(getattr(torch, "nn", None), "Module", None)
            if module is not None and issubclass(cls, module):
                return MODULE
        if numpy is not None and hasattr(numpy, "ndarray"):
            if issubclass(cls, numpy.ndarray):
                return ARRAY
            if issubclass(cls, (numpy.number, numpy.bool_)):
                return SCALAR
        if (cls.__module__ or "").startswith(("jax", "jaxlib")):
            tracer = getattr(getattr(sys.modules.get("jax"), "core", None), "Tracer", ())
            return JAX if hasattr(cls, "__array__") and not issubclass(cls, tracer) else OTHER
        if issubclass(cls, (bool, int, float)):
            return NUMBER
        if issubclass(cls, tuple):
            return TUPLE
        if issubclass(cls, list) or cls.__name__ == "deque":
            return LIST
        if issubclass(cls, dict):
            return DICT
        if cls.__name__ in ("SimpleNamespace", "Namespace") and cls.__module__ in ("types", "argparse"):
            return OBJECT
        return OBJECT if self._is_own(cls) else OTHER


def describe(kind, value, torch):
    """(dtype, shape) of a tensor; None where it has no numbers that can be copied."""
    if kind == TENSOR:
        if value.layout is not torch.strided or value.is_quantized or value.device.type == "meta":
            return None
        return str(value.dtype).rpartition(".")[2], tuple(value.shape)
    if kind == GRID:
        shape = grids.shape_of(value)
        if shape is None:
            return None
        if grids.is_whole(value):
            return ("int", shape)
        return ("float" if len(shape) == 1 else "float64", shape)  # a row may be anything, as a number may
    dtype = value.dtype
    if kind == JAX:
        return (str(dtype), tuple(value.shape)) if not getattr(value, "is_deleted", bool)() else None
    name = _NAMES.get(dtype)
    if name is None:
        name = _NAMES[dtype] = dtype.name if dtype.kind in _ARRAY_KINDS else ""
    return (name, value.shape) if name else None


def bytes_of(kind, value, torch):
    """A copy in C order, little-endian, or (large and contiguous) the tensor's own memory for writing at once."""
    if kind == TENSOR:
        return _torch_bytes(value, torch)
    if kind == GRID:
        return grids.bytes_of(value)
    if kind == JAX:
        value = sys.modules["numpy"].asarray(value)
    if not value.dtype.isnative or sys.byteorder == "big":
        value = value.astype(value.dtype.newbyteorder("<"))
    if kind == ARRAY and value.nbytes > 1 << 16 and value.flags.c_contiguous and value.dtype.kind in "fiu":
        return value.data.cast("B")
    return value.tobytes()


def _torch_bytes(value, torch):
    if value.is_cuda or value.device.type != "cpu" or not value.is_contiguous() or value.is_conj() or value.is_neg():
        with torch.no_grad():
            value = value.detach().cpu().resolve_conj().resolve_neg().contiguous()
    return ctypes.string_at(value.data_ptr(), value.numel() * value.element_size())


def number_bytes(value):
    """The bytes of a number that JSON has no text for; None for others."""
    return struct.pack("<d", value) if isinstance(value, float) and not math.isfinite(value) else None
