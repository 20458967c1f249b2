"""Tensors of NumPy and PyTorch as plain numbers, and whether they are what should have come out."""
import sys
from typing import Any, List, NamedTuple, Optional, Tuple

from .scope import is_tensor


class Expected(NamedTuple):
    """What should come out: one of `alternatives`, each a float64 NumPy array, within `tolerance` (absolute)."""

    alternatives: List[Any]
    tolerance: float


def numbers(value: Any) -> Optional[Any]:
    """`value` as a float64 array, or None where it is no tensor or number."""
    numpy, torch = sys.modules.get('numpy'), sys.modules.get('torch')
    if numpy is None:
        return None
    try:
        if torch is not None and isinstance(value, torch.Tensor):
            return value.detach().to('cpu', torch.float64).numpy()
        if is_tensor(value) or isinstance(value, (int, float, numpy.generic)):
            return numpy.asarray(value).astype(numpy.float64)
    except Exception:  # noqa: BLE001 - complex, sparse, on another device: no numbers to hold against
        return None
    return None


def produced(value: Any, most: int = 12) -> List[Any]:
    """The tensors in a result, one level of tuples, lists and dicts deep."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (tuple, list)):
        parts = [numbers(part) for part in list(value)[:most]]
        return [part for part in parts if part is not None]
    single = numbers(value)
    return [] if single is None else [single]


def equal(one: Any, other: Any, tolerance: float) -> bool:
    """Same shape, same numbers within `tolerance`; NaN equals NaN, an infinity itself."""
    numpy = sys.modules['numpy']
    if one.shape != other.shape:
        return False
    with numpy.errstate(all='ignore'):
        near = numpy.abs(one - other) <= tolerance
    return bool((near | (one == other) | (numpy.isnan(one) & numpy.isnan(other))).all())


def fingerprint(values: List[Any]) -> Tuple:
    """Equal for results whose numbers agree to about seven digits."""
    numpy = sys.modules['numpy']
    return tuple((v.shape, v.astype(numpy.float32).tobytes()) for v in values)


def meets(values: List[Any], expected: Expected) -> bool:
    """Whether one of `values` is one of what is expected."""
    return any(equal(v, e, expected.tolerance) for e in expected.alternatives for v in values)
