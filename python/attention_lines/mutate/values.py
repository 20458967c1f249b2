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


def produced(value: Any, most: int = 16, depth: int = 3) -> List[Any]:
    """The tensors in a result, in tuples, lists, dicts and objects that hold them."""
    single = numbers(value)
    if single is not None:
        return [single]
    parts: List[Any] = []
    if depth:
        for part in held(value)[:most]:
            parts += produced(part, most, depth - 1)
    return parts[:most]


def held(value: Any) -> List[Any]:
    """What a container or an object of the person's own class holds."""
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, (tuple, list)):
        return list(value)
    module = type(value).__module__.partition(".")[0]
    if module in ("builtins", "numpy", "torch", "types") or callable(value):
        return []
    return list(getattr(value, "__dict__", {}).values())


def fingerprint(values: List[Any]) -> Tuple:
    """Equal for results whose numbers agree to about seven digits."""
    numpy = sys.modules['numpy']
    return tuple((v.shape, v.astype(numpy.float32).tobytes()) for v in values)
