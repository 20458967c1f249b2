"""Tensors of NumPy and PyTorch as plain numbers."""
import sys
from typing import Any, List, Optional, Tuple

from .scope import is_tensor


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


def fingerprint(values: List[Any]) -> Tuple:
    """Equal for results whose numbers agree to about seven digits."""
    numpy = sys.modules['numpy']
    return tuple((v.shape, v.astype(numpy.float32).tobytes()) for v in values)
