"""Writes the tensors of your own attention to a file, for the Attention Gradient Debugger.

The shortest way, for a PyTorch module; it writes the tensors and what to compare them with:

    with trace("mine.npz") as t:
        t.watch(attention)                      # records the module as it is called
        attention(x).square().sum().backward()  # any loss
        t.save_setup("mine.attention.json")     # mask="causal" and so on: what was meant

One file, standard library only: it uses the NumPy, PyTorch or JAX that your program has imported.
(The reference of a setup, further down, needs PyTorch.)
Tensors are named by node, or by usual names such as attn_weights; gradients dP, grad_P or P.grad:

    x, xPrime (queries' side)   W_K W_Q W_V W_O b_K b_Q b_V b_O (as (in, out): K = x W_K + b_K)
    K Q V   Kh Qh Vh (per head)   S (raw scores)   Z (scaled)   M (masked)   P (softmax)
    Pd (after dropout)   O (per head)   C (heads merged)   y   f (the loss)   Any subset will do.

NumPy     with trace("mine.npz") as t:
              t.P = P                    # copied now: later edits do not change it
              t["dQ"] = dQ               # any name; or several at once: t.log(K=K, Q=Q)
              t.save_setup("mine.attention.json", heads=2, mask="causal")   # optional, see there
          Nested lists of numbers do as well. The file appears when the block ends, whole or not at
          all; after an exception it holds what was logged until then, and a note says so.

PyTorch   the same; and backward inside of the block adds the gradients of what was logged:
              t.P = P; t.f = loss; t.backward(loss)        # P, dP, f, df; as loss.backward()
          The gradient of NAME is dNAME (NAME.grad where the name is not one word): the total over
          all uses of the tensor, and for a leaf what `.grad` then is, leftovers included (nothing,
          if you call torch.autograd.grad). One that you log yourself goes before it. Any device,
          any real dtype; bfloat16 becomes float32, which __meta__.json in the file tells.

JAX       log outside of jit and grad, or through a callback:
              jax.debug.callback(lambda **tensors: t.log(**tensors), P=P, Q=Q)

Loops     t.step() ends a step: mine.step0.npz, mine.step1.npz, ...

Reference a setup may be too large for the debugger; then your PyTorch computes what is right, on a
          GPU if there is one, in float64, or several processes do, each its heads and tokens:
              python attention_trace.py reference mine.attention.json --out right.safetensors
              torchrun --nproc_per_node 8 attention_trace.py reference SETUP --out FILE

torchrun  each rank writes a part, mine.rank0.npz, ..., and says which heads or tokens it has:
              trace("mine.npz", part={"heads": [4 * rank, 4 * rank + 4]})      # [from, to)
          "kvHeads" where these differ; "tokens", or "queries" and "keys". The debugger puts the
          parts of mine.npz together by itself. For one file of all, in a terminal:
              python attention_trace.py merge "mine.rank*.npz" mine.npz --reduce gradients
          (needs NumPy). What all ranks have whole must be equal, or is summed if --reduce says so:
          "gradients" are those that differ (of shared weights and inputs); others by their names.
"""

from __future__ import annotations

import argparse
import array
import ast
import contextlib
import ctypes
import functools
import glob
import json
import math
import mmap
import operator
import os
import re
import signal
import socket
import stat
import struct
import sys
import threading
import time
import zipfile
import zlib
from typing import Any, Callable

META = "__meta__.json"
WEIGHTS = "W_K W_Q W_V W_O b_K b_Q b_V b_O".split()
NODES = [*WEIGHTS, *"x xPrime K Q V Kh Qh Vh S Z M P Pd O C y f".split()]
MOST_AXES = 32  # NumPy's own limit before version 2
TYPES = {"bool": "b1", "float16": "f2", "float32": "f4", "float64": "f8"}
TYPES.update({f"{u}int{8 * n}": f"{u or 'i'}{n}" for u in ("", "u") for n in (1, 2, 4, 8)})


class TraceError(ValueError):
    """One line: the entry or file, what was found, what was expected."""


# ---- Copying and writing -----------------------------------------------------------------------


def npy_of(name: str, value: Any) -> tuple[bytes, str]:
    """A copy of a tensor, array, number or nested lists as a .npy file; its type if widened."""
    torch, kind = sys.modules.get("torch"), type(value).__name__
    try:
        if torch and isinstance(value, torch.Tensor):
            return _npy(*_from_torch(torch, value))
        return _npy(*(_from_numpy if hasattr(value, "__array__") else _from_lists)(value))
    except TraceError as error:
        raise TraceError(f"{name}: {error}") from None
    except Exception as error:
        found = f"found a {kind} that cannot be copied: {error}".partition("\n")[0]
        if "Tracer" in kind:
            found = "found a JAX tracer, expected an array: log outside of jit and grad"
        raise TraceError(f"{name}: {found}") from error


def _npy(kind: str, shape: Any, data: bytes, origin: str) -> tuple[bytes, str]:
    """NumPy's format, version 1.0, row-major."""
    if len(shape) > MOST_AXES:
        raise TraceError(f"found {len(shape)} axes, expected at most {MOST_AXES}")
    descr = ("<" if sys.byteorder == "little" else ">") + TYPES[kind]
    header = repr({"descr": descr, "fortran_order": False, "shape": tuple(shape)})
    header += " " * (-(len(header) + 11) % 64) + "\n"
    start = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode()
    return start + data, origin if origin != kind else ""


def _widened(kind: str) -> str:
    kind = "float32" if kind == "bfloat16" or kind.startswith("float8") else kind
    if kind not in TYPES:
        raise TraceError(f"found {kind}, expected booleans, integers or reals of up to 64 bits")
    return kind


def _from_torch(torch: Any, tensor: Any) -> tuple:
    origin = str(tensor.dtype).replace("torch.", "")
    kind = _widened(origin)
    tensor = tensor.detach().to(device="cpu", dtype=getattr(torch, kind))
    tensor = (tensor.to_dense() if tensor.is_sparse else tensor).contiguous().resolve_neg()
    size = tensor.numel() * tensor.element_size()
    if size and not tensor.data_ptr():
        raise TraceError(f"found a {type(tensor).__name__} without memory, expected a tensor")
    data = ctypes.string_at(tensor.data_ptr(), size) if size else b""  # needs no NumPy
    return kind, tensor.shape, data, origin


def _from_numpy(value: Any) -> tuple:
    import numpy

    if numpy.ma.is_masked(value):
        raise TraceError("found a masked array, expected x.filled(0) and, by another name, x.mask")
    array = numpy.asarray(value)
    kind = _widened(array.dtype.name)
    data = array.astype(kind, copy=False).tobytes()  # astype: in this machine's byte order
    return kind, array.shape, data, array.dtype.name


def _from_lists(value: Any) -> tuple:
    shape, flat, above = [], [value], set()
    while any(isinstance(each, (list, tuple)) for each in flat):
        level = {id(each) for each in flat if isinstance(each, (list, tuple))}
        if above & level:
            raise TraceError("found a list that holds itself, expected nested lists of numbers")
        above |= level
        lengths = {len(each) if isinstance(each, (list, tuple)) else None for each in flat}
        if len(lengths) > 1:
            raise TraceError(f"found ragged lists at axis {len(shape)}, expected equal lengths")
        shape.append(lengths.pop())
        flat = [entry for each in flat for entry in each]
    kinds = {type(each) for each in flat}
    if not kinds <= {bool, int, float}:
        found = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise TraceError(f"found {found}, expected a tensor, an array or nested lists of numbers")
    codes = {"bool": "?", "int64": "q", "float64": "d"}
    kind = "bool" if kinds == {bool} else "int64" if kinds == {int} else "float64"
    return kind, shape, struct.pack(f"={len(flat)}{codes[kind]}", *flat), kind


@contextlib.contextmanager
def _atomic(path: str) -> Any:
    """A binary file that takes its place when it is whole; until then it is a draft beside it.

    Links and the mode stay. What is no regular file, such as a FIFO, is written to, not replaced.
    """
    path = os.path.realpath(path)
    host = f"{zlib.crc32(socket.gethostname().encode()):08x}"
    draft = f"{path}.{host}-{os.getpid()}-{os.urandom(4).hex()}.tmp"
    try:
        mode = os.stat(path).st_mode if os.path.exists(path) else 0
        if mode and not stat.S_ISREG(mode):
            with open(path, "wb") as file:
                yield file
            return
        _remove_drafts(path, host)
        with _removed_by_signals(draft), open(draft, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            if mode:
                os.chmod(draft, stat.S_IMODE(mode))
        os.replace(draft, path)
    except OSError as error:
        raise TraceError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            os.unlink(draft)


def _remove_drafts(path: str, host: str) -> None:
    """Those of processes of this machine that were killed while they wrote."""
    for draft in glob.glob(f"{glob.escape(path)}.{host}-*.tmp") if os.name == "posix" else []:
        pid = re.search(r"-(\d+)-[0-9a-f]{8}\.tmp$", draft)
        with contextlib.suppress(OSError):
            try:
                os.kill(int(pid[1]) if pid else 0, 0)
            except ProcessLookupError:
                os.unlink(draft)


@contextlib.contextmanager
def _removed_by_signals(draft: str) -> Any:
    """Where a signal would end the program at once, it removes the draft first."""
    signals = [getattr(signal, name, None) for name in ("SIGINT", "SIGTERM", "SIGHUP")]
    is_main = threading.current_thread() is threading.main_thread()
    given = [each for each in signals if each and is_main]
    ours = [each for each in given if signal.getsignal(each) == signal.SIG_DFL]

    def end(number: int, _frame: Any) -> None:
        with contextlib.suppress(OSError):
            os.unlink(draft)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    for each in ours:
        signal.signal(each, end)
    try:
        yield
    finally:
        for each in ours:
            signal.signal(each, signal.SIG_DFL)


def _write_npz(path: str, arrays: dict[str, tuple[bytes, str]], **meta: Any) -> None:
    """A zip archive of .npy files and META, a text in JSON."""
    meta["dtypes"] = {name: origin for name, (_, origin) in arrays.items() if origin}
    with _atomic(path) as file, zipfile.ZipFile(file, "w") as archive:
        for name, (npy, _) in arrays.items():
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), npy)
        archive.writestr(zipfile.ZipInfo(META), json.dumps(meta, indent=1))


# ---- Logging -----------------------------------------------------------------------------------


class Trace:
    """What was logged since the block or the step began. Safe to use from several threads."""

    def __init__(self, path: Any, part: dict[str, Any] | None = None) -> None:
        self._path, self._part = _absolute(path), part or {}
        if not self._path.endswith(".npz") or not os.path.isdir(os.path.dirname(self._path)):
            raise TraceError(f"{path}: expected a name in .npz, in a folder that is there")
        for key, span in self._part.items():
            if key not in (*SPLIT, "tokens") or len(span) != 2 or not 0 <= span[0] < span[1]:
                expected = f"{', '.join(SPLIT)} or tokens with [from, to)"
                raise TraceError(f"part: found {key} with {span}, expected {expected}")
        self._lock, self._open, self._steps, self._rank = threading.RLock(), False, 0, _rank()
        self._watched, self._facts = contextlib.ExitStack(), {}  # facts of a module, for the setup
        self._handles: list[Any] = []
        self._begin()

    def _begin(self) -> None:
        for handle in self._handles:
            handle.remove()
        self._values, self._gradients, self._handles, self._setups = {}, {}, [], []
        self._lines: dict[str, list[Any]] = {}

    def __enter__(self) -> Trace:
        self._open = True
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        with self._lock, self._watched:
            self._open = False
            try:
                if self._values or (kind is None and not self._steps):
                    file = self._write(self._steps > 0, kind is None)
                    note = f"{file} has what was logged before"
                else:
                    note = "nothing was logged"
            except TraceError as failure:
                if kind is None:
                    raise
                note = str(failure)
            finally:
                self._begin()
            if kind is not None:
                print(f"attention_trace: {kind.__name__} ended the block; {note}", file=sys.stderr)

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_"):
            object.__setattr__(self, name, value)
        elif hasattr(Trace, name):
            raise TraceError(f'{name}: is a method of the trace, expected t["{name}"] = ...')
        else:
            self._record(name, value)

    def __setitem__(self, name: str, value: Any) -> None:
        self._record(name, value)

    def log(self, /, **tensors: Any) -> None:
        for name, value in tensors.items():
            self._record(name, value)

    def backward(self, loss: Any, **options: Any) -> None:
        """loss.backward(), with the block around it."""
        loss.backward(**options)

    def step(self) -> None:
        """Writes the file of this step and begins the next, in which all names are free again."""
        with self._lock:
            self._write(True, True)
            self._steps += 1
            self._begin()

    def _record(self, name: str, value: Any, view: Callable = lambda tensor: tensor) -> None:
        """Copies view(value) and, for a tensor that requires grad, its gradient when it comes."""
        if not _is_name(name):
            raise TraceError(f"{name!r:.220}: expected a name of 1 to 200 characters such as 'P'")
        with self._lock:
            if not self._open:
                raise TraceError(f"{name}: logged outside, expected it in `with trace(...) as t:`")
            if name in self._values:
                raise TraceError(f"{name}: found it twice, expected it once in a step (t.step())")
            self._rank = max(self._rank, _rank(), key=lambda rank_world: rank_world[1])
            has_gradient = getattr(value, "requires_grad", False)
            line = _line()
            if line:
                self._lines[name] = self._lines[_gradient_name(name)] = line
            self._values[name] = npy_of(name, view(value.detach() if has_gradient else value))
            if has_gradient:
                self._hook(value, _gradient_name(name), view)

    def _hook(self, tensor: Any, name: str, view: Callable) -> None:
        """PyTorch calls a hook once in a backward, with the total over all uses of the tensor."""
        step = self._values  # a hook that outlives its step records nothing

        def hook(gradient: Any) -> None:
            with self._lock:
                if self._values is not step:
                    return
                total, before = view(gradient.detach()), self._gradients.get(name)
                if tensor.is_leaf:
                    before = None if tensor.grad is None else view(tensor.grad.detach())
                total = total if before is None else total + before.to(total.device)
                self._gradients[name] = total.to("cpu", copy=True)

        self._handles.append(tensor.register_hook(hook))

    def _write(self, many: bool, complete: bool) -> str:
        if not self._values:
            raise TraceError(f"{self._path}: nothing was logged, expected at least one tensor")
        whole = f"{self._path[:-4]}.step{self._steps}.npz" if many else self._path
        rank, world = self._rank
        file = f"{whole[:-4]}.rank{rank}.npz" if world > 1 else whole
        arrays = dict(self._values)
        for name, gradient in self._gradients.items():
            arrays.setdefault(name, npy_of(name, gradient))
        part = {key: [int(end) for end in span] for key, span in self._part.items()}
        lines = {name: line for name, line in self._lines.items() if name in arrays}
        _write_npz(
            file, arrays, complete=complete, rank=rank, world=world, part=part, lines=lines
        )
        for path, entries in self._setups if rank == 0 else []:
            setup = json.dumps(self._setup(path, whole, list(arrays), entries), indent=2)
            with _atomic(path) as out:
                out.write(f"{setup}\n".encode())
        return file

    def save_setup(self, path: Any, **entries: Any) -> None:
        """Writes, when the step ends, a setup to check these tensors against: *.attention.json.

        It refers to what was logged: x, xPrime, W_*, b_*, `mask`, and dy as the upstream gradient.
        The rest you say, as in any setup: heads=8 (of all ranks), mask="causal", scale=0.125,
        head="kq", rope={"pairing": "half"}, maskMeaning="ignore", axes="key-first", ...
        """
        absolute = _absolute(path)
        if not absolute.endswith(".attention.json") or not self._open:
            raise TraceError(f"{path}: expected a name in .attention.json, inside of the block")
        self._setups.append((absolute, entries))

    def _setup(self, path: str, file: str, names: list[str], entries: dict) -> dict[str, Any]:
        with contextlib.suppress(ValueError):  # of another drive
            file = os.path.relpath(file, os.path.dirname(path))
        place = {name: {"file": file.replace(os.sep, "/"), "key": name} for name in names}
        facts = {} if "heads" in self._part else {**self._facts}  # a rank has some of the heads
        masked, p = (facts.pop(key, None) for key in ("masked", "dropout"))
        many = "heads" in {**facts, **entries} or "W_O" in place
        head = entries.get("head", "multihead" if many else "qkv" if "W_V" in place else "kq")
        letters = {"kq": "KQ", "qkv": "KQV"}.get(head, "KQVO")
        inputs = {name: place[name] for name in ("x", "xPrime", "mask") if name in place}
        weights = {name: place[name] for name in WEIGHTS if name in place and name[-1] in letters}
        setup = {"head": head, **facts, **inputs, "weights": weights}
        setup.update({"loss": {"upstream": place["dy"]}} if "dy" in place else {})
        setup.update({"dropout": {"p": p, "keep": place["keep"]}} if "keep" in place else {})
        setup.update(entries)
        wanted = ["x", *(f"W_{letter}" for letter in letters if letter != "O")]
        wanted += ["heads"] if head == "multihead" else []
        wanted += ["mask"] if masked else []
        missing = [name for name in wanted if name not in {**setup, **setup["weights"]}]
        if missing and "start" not in setup:
            found = f"found no {', '.join(missing)}, expected it logged or as save_setup(NAME=...)"
            raise TraceError(f"{path}: {found}")
        return setup

    def watch(
        self, module: Any, heads: int = 0, kv_heads: int = 0, batch_first: bool | None = None
    ) -> None:
        """Records the calls of a PyTorch attention module until the block ends: one in each step.

        nn.MultiheadAttention, or a module whose linear layers (nn.Linear, Conv1D) LAYERS names.
        W_* and b_* (apart, as (in, out)); what goes into these layers: x, xPrime (if it is another)
        and C; what comes out: K, Q, V, y. Where softmax is called in the open: its input M (Z where
        nothing is masked), P, and after dropout Pd and `keep`; where scaled_dot_product_attention
        is: Qh, Kh, Vh, O. All with gradients; dx and dxPrime are what comes back through this
        module, not through a residual connection around it. Not for compiled or scripted modules.
        heads, kv_heads and batch_first: where the module has no attribute that tells.
        """
        torch, kind = sys.modules.get("torch"), type(module).__name__
        if torch is None or not isinstance(module, torch.nn.Module):
            raise TraceError(f"watch: found {kind}, expected a torch.nn.Module")
        if not self._open or self._facts:
            raise TraceError(f"watch: found {kind}, expected one module for each `with trace`")
        if getattr(module, "bias_k", None) is not None or getattr(module, "add_zero_attn", False):
            raise TraceError("watch: found add_bias_kv or add_zero_attn, expected neither")
        layers = [layer for layer in _projections(module) if layer[1] is not None]
        widths = {of: weight.shape[0 if turned else 1] for of, weight, _, turned in layers}
        heads = heads or _count(module, HEADS)
        if not heads:
            raise TraceError(f"watch: found no number of heads in {kind}, expected watch(heads=8)")
        told = heads * widths["K"] // widths["Q"] if "K" in widths else _count(module, KV_HEADS)
        self._facts = {"heads": heads, "kvHeads": kv_heads or told or heads}
        first = getattr(module, "batch_first", True) if batch_first is None else batch_first
        original = module.forward

        @functools.wraps(original)
        def forward(*args: Any, **kwargs: Any) -> Any:
            tensors = [a for a in (*args, *kwargs.values()) if isinstance(a, torch.Tensor)]
            batch = tensors[0].shape[0 if first else 1] if tensors and tensors[0].dim() > 2 else 0
            with _SPYING, contextlib.ExitStack() as stack:
                call = _Call(self, module, batch, first, stack)
                result = original(*args, **kwargs)
            call.finish(result)
            return result

        _replace(self._watched, module, "forward", forward)


trace = Trace


def _absolute(path: Any) -> str:
    """'' for what is no path to a file."""
    try:
        text = os.fsdecode(path)
    except TypeError:
        return ""
    return "" if text.endswith(("/", os.sep)) else os.path.abspath(text)


def _is_name(name: Any) -> bool:
    """A name in an archive, which can be unpacked into a folder and stays in it."""
    if not isinstance(name, str) or not re.fullmatch(r"[^\s\\/][^\n\r\0\\]{0,199}", name):
        return False
    is_utf8 = name == name.encode(errors="ignore").decode()
    return is_utf8 and not {"", ".", ".."} & set(name.split("/"))


def _gradient_name(name: str) -> str:
    return f"d{name}" if re.fullmatch(r"\w+", name) else f"{name}.grad"


def _line() -> list[Any] | None:
    """The file and line of your code that logs, for the editor to show."""
    frame = sys._getframe(1)
    while frame:
        file = frame.f_code.co_filename
        if file != __file__ and not re.search(r"^<|[/\\](site|dist)-packages[/\\]", file):
            return [os.path.abspath(file), frame.f_lineno]
        frame = frame.f_back
    return None


def _rank() -> tuple[int, int]:
    """Rank and number of ranks, of torch.distributed or torchrun."""
    distributed = getattr(sys.modules.get("torch"), "distributed", None)
    if distributed and distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))


# ---- Watching a PyTorch module -----------------------------------------------------------------

LAYERS = {
    "Q": "q_proj query to_q query_proj q_linear linear_q q_lin wq w_q W_q W_Q Wq",
    "K": "k_proj key to_k key_proj k_linear linear_k k_lin wk w_k W_k W_K Wk",
    "V": "v_proj value to_v value_proj v_linear linear_v v_lin wv w_v W_v W_V Wv",
    "QKV": "c_attn qkv qkv_proj in_proj to_qkv Wqkv",
    "O": "out_proj o_proj dense to_out c_proj proj out_linear out_lin wo w_o W_o W_O Wo",
}
HEADS = "num_heads n_heads n_head nhead heads num_attention_heads".split()
KV_HEADS = "num_key_value_heads num_kv_heads n_kv_heads n_kv_head kv_heads".split()
_SPYING = threading.RLock()  # functions of PyTorch are replaced, which all threads see


def _count(module: Any, names: list[str]) -> int:
    owners = [*module.modules(), getattr(module, "config", None)]
    found = (getattr(owner, name, None) for owner in owners for name in names)
    return next((value for value in found if type(value) is int), 0)


def _replace(stack: contextlib.ExitStack, owner: Any, name: str, value: Any) -> None:
    """Sets an attribute until the stack is closed."""
    own = vars(owner)
    undo = (setattr, owner, name, own[name]) if name in own else (delattr, owner, name)
    stack.callback(*undo)
    setattr(owner, name, value)


def _projections(module: Any) -> list[tuple[str, Any, Any, bool]]:
    """Of each layer: letters out of QKVO, weight, bias, and whether the weight is (out, in)."""
    nn = sys.modules["torch"].nn
    if isinstance(module, nn.MultiheadAttention):
        out = module.out_proj
        layers = [("QKV", module.in_proj_weight, module.in_proj_bias), ("O", out.weight, out.bias)]
        layers += [(each, getattr(module, f"{each.lower()}_proj_weight"), None) for each in "QKV"]
        return [(*layer, True) for layer in layers]
    result, modules = [], dict(module.named_modules())
    for letters, names in LAYERS.items():
        found = [name for name in modules if name.rpartition(".")[2] in names.split()]
        if len(found) > 1:
            raise TraceError(f"watch: found {' and '.join(found)}, expected one: watch less of it")
        inside = [each for name in found for each in modules[name].modules()]
        for layer in [each for each in inside if getattr(each, "weight", None) is not None][:1]:
            result.append((letters, layer.weight, layer.bias, isinstance(layer, nn.Linear)))
    if not set("QKV") <= {letter for letters, *_ in result for letter in letters}:
        found = [name for name, _ in module.named_children()]
        raise TraceError(f"watch: found layers {found}, expected q_proj, k_proj, v_proj or qkv")
    return result


class _Call:
    """One call of a watched module: stands between it and the functions of PyTorch it calls."""

    def __init__(self, t: Trace, module: Any, batch: int, batch_first: bool, stack: Any) -> None:
        torch = sys.modules["torch"]
        self.t, self.batch, self.thread, self.weights = t, batch, threading.get_ident(), None
        heads, kv_heads = t._facts["heads"], t._facts["kvHeads"]
        self.shares = {"Q": heads, "K": kv_heads, "V": kv_heads, "O": heads}
        self.inputs: dict[Any, Any] = {}  # by memory: is what goes into Q and K the same x?
        # Whatever its batch_first, MultiheadAttention computes with (tokens, batch, features).
        multihead = isinstance(module, torch.nn.MultiheadAttention)
        self.tokens_first = multihead or not batch_first
        self.letters = {}
        for letters, weight, bias, turned in _projections(module):
            if letters == "O" or not multihead:
                self.letters[id(weight)] = letters
            for kind, tensor in (("W", weight), ("b", bias)):
                for each, part in self.parts(letters, tensor, 0 if turned else -1):
                    rows, columns = lambda w, p=part: w[p].t(), lambda w, p=part: w[..., p]
                    t._record(f"{kind}_{each}", tensor, rows if turned else columns)
        functional = torch.nn.functional
        spied = {functional: "softmax linear dropout scaled_dot_product_attention _in_projection"}
        spied.update({torch: "softmax addmm", torch.Tensor: "softmax"})
        spied[functional] += " _in_projection_packed"
        for owner, names in spied.items():
            for name in names.split():
                if hasattr(owner, name):
                    _replace(stack, owner, name, self.spy(getattr(owner, name), name))

    def spy(self, original: Callable, name: str) -> Callable:
        see = getattr(self, name)

        def spying(*args: Any, **kwargs: Any) -> Any:
            here = threading.get_ident() == self.thread
            return see(original, *args, **kwargs) if here else original(*args, **kwargs)

        return spying

    def parts(self, letters: str, fused: Any, axis: int = -1) -> list[tuple[str, slice]]:
        """Where each letter is on the axis of features of a fused tensor."""
        at, result = 0, []
        for each in letters if fused is not None else "":
            total = sum(self.shares[letter] for letter in letters)
            width = fused.shape[axis] * self.shares[each] // total
            result.append((each, slice(at, at + width)))
            at += width
        return result

    def tokens(self, tensor: Any) -> Any:
        """(batch, tokens, features), or (tokens, features) where there is no batch."""
        if not self.batch:
            return tensor[:, 0] if tensor.dim() == 3 else tensor
        if tensor.dim() == 2:
            lengths = (-1, self.batch) if self.tokens_first else (self.batch, -1)
            tensor = tensor.reshape(*lengths, tensor.shape[-1])
        return tensor.transpose(0, 1) if self.tokens_first else tensor

    def per_head(self, tensor: Any) -> Any:
        """(batch, heads, queries, keys) where the module has batch and heads in one axis."""
        if tensor.dim() != 3 or len(tensor) != self.batch * self.shares["Q"]:
            return tensor
        return tensor.reshape(self.batch, -1, *tensor.shape[1:])

    def entering(self, letters: str, x: Any) -> Any:
        """x by another name, so that its gradient is what comes back through the projections."""
        memory = (x.data_ptr(), x.shape, x.stride())
        use = self.inputs.setdefault(memory, {"letters": "", "aliases": {}})
        use["letters"] += letters
        alias = x.view_as(x) if x.requires_grad else x
        return use["aliases"].setdefault(id(x), (alias, x))[0]

    def leaving(self, letters: str, y: Any) -> Any:
        for each, part in self.parts(letters, y):
            view = lambda t, part=part: self.tokens(t[..., part])
            self.t._record("y" if each == "O" else each, y, view)
        return y

    def finish(self, result: Any) -> None:
        """Names what went into the projections, and the output if there is no layer for it."""
        for use in self.inputs.values():
            if ("K" in use["letters"]) != ("V" in use["letters"]):
                raise TraceError("watch: found different inputs of K and V, expected one x")
            name = "x" if "K" in use["letters"] else "xPrime"
            first, *others = (alias for alias, _ in use["aliases"].values())
            self.t._record(name, first, self.tokens)
            for other in others:
                if other.requires_grad:
                    self.t._hook(other, f"d{name}", self.tokens)
        if not self.inputs:
            raise TraceError("watch: found no projection in this call, expected module.train()")
        if "y" not in self.t._values:
            self.t._record("y", result[0] if isinstance(result, tuple) else result, self.tokens)

    # Each method from here on is called in the place of PyTorch's function of that name.

    def linear(self, original: Callable, input: Any, weight: Any, bias: Any = None) -> Any:
        letters = self.letters.get(id(weight), "")
        if letters == "O":
            self.t._record("C", input, self.tokens)
        elif letters:
            input = self.entering(letters, input)
        return self.leaving(letters, original(input, weight, bias))

    def addmm(self, original: Callable, input: Any, mat1: Any, mat2: Any, **options: Any) -> Any:
        """The product in Conv1D."""
        return self.linear(lambda x, w, b: original(b, x, w, **options), mat1, mat2, input)

    def _in_projection(self, original: Callable, q: Any, k: Any, v: Any, *weights: Any) -> Any:
        """All three in MultiheadAttention."""
        inside = [self.entering(letter, x) for letter, x in zip("QKV", (q, k, v))]
        return [self.leaving(*each) for each in zip("QKV", original(*inside, *weights))]

    _in_projection_packed = _in_projection

    def softmax(self, original: Callable, input: Any, *args: Any, **options: Any) -> Any:
        result = original(input, *args, **options)
        if self.weights is None:
            self.weights, masked = result, bool((input.detach() <= -1e4).any())
            self.t._facts["masked"] = masked or None
            self.t._record("M" if masked else "Z", input, self.per_head)
            self.t._record("P", result, self.per_head)
        return result

    def dropout(
        self, original: Callable, input: Any, p: float = 0.5, training: bool = True, *args: Any
    ) -> Any:
        if input is not self.weights or not training or p == 0:
            return original(input, p, training, *args)
        torch = sys.modules["torch"]
        with torch.random.fork_rng([input.device] if input.is_cuda else []):
            keep = original(torch.ones_like(input), p) != 0  # by the random numbers that follow
        result = original(input, p, training, *args)
        self.t._facts["dropout"] = p
        self.t._record("keep", keep, self.per_head)
        self.t._record("Pd", result, self.per_head)
        return result

    def scaled_dot_product_attention(self, original: Callable, *args: Any, **options: Any) -> Any:
        result = original(*args, **options)
        mask = [*args[3:4], *args[5:6], options.get("attn_mask"), options.get("is_causal")]
        self.t._facts["masked"] = any(each is not None and each is not False for each in mask)
        for name, tensor in zip(("Qh", "Kh", "Vh", "O"), (*args[:3], result)):
            if tensor.shape[-3] == self.shares[name[0]]:  # not keys that are repeated for a group
                self.t._record(name, tensor)
        return result


# ---- Parts of several ranks --------------------------------------------------------------------

# Which axis of a node, counted from the end, is taken apart by what `part` can say.
SPLIT = {
    "heads": {"Qh O S Z M P Pd": -3, "Q C W_Q b_Q": -1, "W_O": -2},
    "kvHeads": {"Kh Vh": -3, "K V W_K W_V b_K b_V": -1},
    "queries": {"xPrime Q Qh S Z M P Pd O C y": -2},
    "keys": {"x K V Kh Vh": -2},
}


def merge(files: list[str], out: str, reduce: Any = ()) -> None:
    """Puts the parts of all ranks together in the file `out`; the top of this file tells how."""
    import numpy

    parts, origins, complete = [], {}, True
    for file in files:
        try:
            with numpy.load(file) as data:
                meta = json.loads(data[META])
                arrays = {name: data[name] for name in data.files if name != META}
        except Exception as error:
            raise TraceError(f"{file}: found {error}, expected a file that trace wrote") from error
        spans = {key: tuple(span) for key, span in meta["part"].items()}
        if "tokens" in spans:
            spans["queries"] = spans["keys"] = spans["tokens"]
        if "heads" in spans:
            spans.setdefault("kvHeads", spans["heads"])
        parts.append((meta["rank"], spans, arrays))
        origins.update(meta["dtypes"])
        complete = complete and meta["complete"]
    ranks, world = sorted(rank for rank, *_ in parts), meta["world"] if parts else 1
    if ranks != list(range(world)):
        raise TraceError(f"{out}: found ranks {ranks}, expected each of 0 to {world - 1} once")
    merged = {}
    for name in {name: 0 for *_, arrays in parts for name in arrays}:
        pieces = [(spans, arrays[name]) for _, spans, arrays in parts if name in arrays]
        try:
            whole = _join(name, pieces, _axes(name, pieces), reduce)
        except ValueError as error:
            raise TraceError(f"{name}: {error}") from error
        merged[name] = (npy_of(name, whole)[0], origins.get(name, ""))
    _write_npz(out, merged, complete=complete, rank=0, world=1, part={})


def _axes(name: str, pieces: list) -> list[tuple[str, int]]:
    """What of `part` takes this tensor apart, and on which axis."""
    node = name if name in NODES else re.sub(r"^(d|grad[_/]?)|[._/]grad$", "", name)
    if node not in NODES:
        raise ValueError("found a name that is no node's, expected one: it tells what the axes are")
    result = []
    for key, nodes in SPLIT.items():
        axis = next((axis for names, axis in nodes.items() if node in names.split()), 0)
        if not axis or not all(key in spans for spans, _ in pieces):
            continue
        if key in ("queries", "keys") or (key, axis) == ("heads", -3):
            lengths = [spans[key][1] - spans[key][0] for spans, _ in pieces]
            shapes = [(0, 0, 0, *array.shape) for _, array in pieces]
            if {shape[axis] for shape in shapes} == {max(spans[key][1] for spans, _ in pieces)}:
                continue  # each rank has all of it
            # Where scores are key-first, queries are their last axis.
            scores = key == "queries" and node in "S Z M P Pd".split()
            places = (axis, -1) if scores else (axis,)
            fit = [place for place in places if [shape[place] for shape in shapes] == lengths]
            if not fit:
                found = [array.shape for _, array in pieces]
                raise ValueError(f"found shapes {found}, expected {lengths} {key} on axis {axis}")
            axis = fit[0]
        result.append((key, axis))
    return result


def _join(name: str, pieces: list, axes: list[tuple[str, int]], reduce: Any) -> Any:
    """Pieces of one span are copies of the same; those of different spans lie side by side."""
    import numpy

    if axes:
        (key, axis), at, joined = axes[0], 0, []
        for start, stop in sorted({spans[key] for spans, _ in pieces}):
            if start != at:
                found = f"{'a gap' if start > at else 'an overlap'}: {key} from {start} on"
                raise ValueError(f"found {found}, expected them from {at} on")
            group = [(spans, array) for spans, array in pieces if spans[key] == (start, stop)]
            joined.append(_join(name, group, axes[1:], reduce))
            at = stop
        return numpy.concatenate(joined, axis)
    first, *others = (array for _, array in pieces)
    equal = all((a.shape, a.tobytes()) == (first.shape, first.tobytes()) for a in others)
    if name in reduce or (not equal and "gradients" in reduce and name not in NODES):
        return sum(others, first)
    if not equal:
        raise ValueError("found other numbers on other ranks, expected equal ones or --reduce")
    return first


# ---- The reference of a setup ------------------------------------------------------------------

WIDE = "gamma_K gamma_Q beta_K beta_Q".split()  # of the norm of queries and keys
AROUND = {"pre": "preNorm", "out": "outputNorm", "post": "postNorm"}  # of the layer
GAINS = [f"{kind}_{name}" for name in AROUND for kind in ("gamma", "beta")]
NULLS = ["null_K", "null_V"]  # of a key that every query sees
LATENT = "W_DKV gamma_DKV W_DQ gamma_DQ W_KR W_QR".split()  # of keys and values, and of queries
LAMBDAS = "lambda_q1 lambda_k1 lambda_q2 lambda_k2".split()  # of the share of the second softmax
PAIRED = [*LAMBDAS, "lambda_share", "gamma_O"]
BESIDE = ["sinks", "headScale", "W_gate", "b_gate", "B", *NULLS, *GAINS, *LATENT, *PAIRED]
SCALINGS = {  # What scaled frequencies need, and what they may have.
    "linear": ({"factor"}, {}),
    "ntk": ({"factor"}, {}),
    "llama3": ({"factor", "originalLength"}, {"lowFreqFactor": 1, "highFreqFactor": 4}),
    "yarn": (
        {"factor", "originalLength"},
        {"betaFast": 32, "betaSlow": 1, "magnitude": None, "truncate": True},
    ),
}
SETUP = {  # What may stand in a setup; of PLAIN nothing changes a number.
    "": "head x xPrime weights heads kvHeads scale softcap mask maskMeaning dropout rope qkNorm "
    "window alibi past start loss axes $schema title description energy names source "
    "implementation xValue grouping softmax temperature positionBias block numberType "
    "weightLayout fused zeroKey latentNorm differential".split(),
    **{"positionBias": "kind bidirectional maxDistance window".split()},
    **{"weights": WEIGHTS + WIDE + BESIDE + ["W_QKV", "b_QKV"], "dropout": ["p", "keep"]},
    "rope": "base pairing features scaling invFreq positions queryPositions sections "
    "sectionFrequencies".split(),
    **{"block": ["residual", *AROUND.values()]},
    **{"qkNorm": "kind eps unitOffset over place".split(), "past": ["K", "V"]},
    "differential": "layer lambdaInit norm pairs".split(),
    **{"start": ["K", "Q", "V"], "loss": "upstream target expression constants".split()},
}
MASK_PARTS = {
    "given": ["tensor", "meaning"], "padding": ["lengths", "keep"], "window": ["left", "right"],
    "prefix": ["length"], "chunked": ["size"], "documents": ["ids", "queryIds"],
}
RANDOM = {"normal": {"mean": 0, "std": 1}, "uniform": {"low": 0, "high": 1}}


class _Setup:
    """A setup file: its entries, checked when they are asked for, and its tensors.

    "loss.upstream" names an entry within another. Whatever is wrong is a TraceError in one line:
    the file, the entry, what was found, what was expected.
    """

    def __init__(self, torch: Any, file: str) -> None:
        self.torch, self.file = torch, file
        # Weights that the setup keeps otherwise than (in, out).
        self.settled: dict[str, Any] = {}
        try:
            with open(file, encoding="utf-8-sig") as text:
                self.all = _parse_jsonc(text.read())
        except (OSError, ValueError, RecursionError) as error:
            raise TraceError(f"{file}: found {error}, expected a setup in JSON") from error
        for entry, known in SETUP.items():
            value = self.all.get(entry, {}) if entry and type(self.all) is dict else self.all
            if type(value) is not dict:
                self.fail(entry, value, "an object")
            for key in value:
                if key not in known:
                    self.fail(f"{entry}.{key}".strip("."), "an unknown entry", " ".join(known))

    def fail(self, entry: str, found: Any, expected: str) -> Any:
        if type(found) is not str:
            found = json.dumps(found)
            found = f"{found[:60]}..." if len(found) > 60 else found
        raise TraceError(f"{self.file}: {entry or 'setup'}: found {found}, expected {expected}")

    def raw(self, entry: str) -> Any:
        """What stands there; None if nothing does."""
        value = self.all
        for key in entry.split("."):
            if type(value) is list and key.isdigit():
                value = value[int(key)]
            else:
                value = value.get(key) if type(value) is dict else None
        return value

    def has(self, entry: str) -> bool:
        if entry in self.settled:
            return True
        parent, _, key = entry.rpartition(".")
        owner = self.raw(parent) if parent else self.all
        is_item = type(owner) is list and key.isdigit() and int(key) < len(owner)
        return is_item or (type(owner) is dict and key in owner)

    def one_of(self, entry: str, *choices: str) -> str:
        """The first is the default."""
        value = self.raw(entry) if self.has(entry) else choices[0]
        named = " or ".join(map(json.dumps, choices))
        return value if value in choices else self.fail(entry, value, named)

    def number(
        self, entry: str, default: Any, expected: str = "a number", whole: Any = False, **bound: Any
    ) -> Any:
        """`bound` is above=0 or least=1, and below=1."""
        if not self.has(entry):
            return default
        value, infinity = self.raw(entry), float("inf")
        if type(value) is int or (type(value) is float and not whole):
            above, least = bound.get("above", -infinity), bound.get("least", -infinity)
            if above < value < bound.get("below", infinity) and value >= least:
                return value
        return self.fail(entry, value, expected)

    def count(self, entry: str, default: Any) -> Any:
        return self.number(entry, default, "an integer from 1", whole=True, least=1)

    def flag(self, entry: str) -> bool:
        value = self.raw(entry) if self.has(entry) else False
        return value if type(value) is bool else self.fail(entry, value, "true or false")

    def tensor(self, entry: str) -> Any:
        """On the CPU, of its own type; of a file it is read where it is used, as far as it can."""
        if entry in self.settled:
            return self.settled[entry]
        value = self.raw(entry)
        if type(value) is list:
            return self._inline(entry, value)
        if type(value) is dict and type(value.get("file")) is str and {*value} <= {"file", "key"}:
            path, key = os.path.join(os.path.dirname(self.file), value["file"]), value.get("key")
            try:
                return _read_tensor(self.torch, path, key)
            except (OSError, ValueError, KeyError, struct.error, zipfile.BadZipFile) as error:
                raise TraceError(f"{self.file}: {entry}: {value['file']}: {error}") from error
        if type(value) is dict and value.get("random") in [*RANDOM]:
            return self._random(entry, value)
        tensors = 'nested arrays, {"file": ...} or {"random": "normal", "shape": ...}'
        return self.fail(entry, value, tensors)

    def shape(self, entry: str) -> Any:
        """Of its tensor; random numbers are not made for that."""
        if entry in self.settled:
            return self.settled[entry].shape
        shape = (self.raw(entry) if type(self.raw(entry)) is dict else {}).get("shape")
        return shape if type(shape) is list else self.tensor(entry).shape

    def _inline(self, entry: str, nested: list) -> Any:
        def plain(each: Any) -> Any:
            if type(each) is list:
                return [plain(inner) for inner in each]
            if type(each) is str and re.fullmatch(r"[+-]?(nan|inf|infinity)", each.lower()):
                return float(each)
            return float(each) if type(each) is int else each

        try:
            kind, shape, data, _ = _from_lists(plain(nested))
        except TraceError as error:
            raise TraceError(f"{self.file}: {entry}: {error}") from None
        if 0 in shape:
            self.fail(entry, "an empty array", "at least one entry")
        return _decoded(self.torch, data, 0, TYPES[kind], shape)

    def _random(self, entry: str, spec: dict) -> Any:
        known = RANDOM[spec["random"]]
        for key in spec:
            if key not in ("random", "shape", "seed", *known):
                self.fail(f"{entry}.{key}", "an unknown entry", f"shape seed {' '.join(known)}")
        shape = spec.get("shape")
        lengths = shape if type(shape) is list else []
        if not lengths or not all(type(each) is int and each > 0 for each in lengths):
            self.fail(f"{entry}.shape", shape, "an array of integers from 1")
        expected = "an integer from 0 to 2^32 - 1"
        seed = self.number(f"{entry}.seed", 0, expected, whole=True, least=0, below=2**32)
        first, second = (self.number(f"{entry}.{key}", value) for key, value in known.items())
        deviates = _deviates(spec["random"], seed, functools.reduce(lambda a, b: a * b, lengths))
        deviates = self.torch.frombuffer(deviates, dtype=self.torch.float64).reshape(lengths)
        scale = second - first if spec["random"] == "uniform" else second
        return deviates * scale + first


def _settle_weights(setup: _Setup, heads: int, kv_heads: int) -> None:
    """All weights (in, out), of whatever the setup keeps: as src/formats/weightLayouts.ts does.

    Matrices may be (out, in), have an axis of the heads, or be one of q, k and v (W_QKV, b_QKV).
    """
    given = setup.raw("weights") or {}
    layout = setup.one_of("weightLayout", "", "in-out", "out-in")
    inputs = {}
    for name, entries in {"K": ["x"], "Q": ["xPrime", "x"], "V": ["xValue", "x"]}.items():
        source = [entry for entry in entries if setup.has(entry)]
        is_latent = f"W_D{'Q' if name == 'Q' else 'KV'}" in given  # of a width that is not known
        inputs[f"W_{name}"] = setup.shape(source[0])[-1] if source and not is_latent else None
    inputs["W_QKV"] = inputs["W_Q"]
    pairs = 2 if setup.has("differential") else 1

    def otherwise(key: str) -> Any:
        """As the reference takes it; None where it stands so, and is read only where it is used."""
        entry = f"weights.{key}"
        shape = setup.shape(entry)
        if key[:2] != "W_":
            return setup.tensor(entry).flatten() if len(shape) == 2 and key != "B" else None
        width, count = inputs.get(key), heads if key in ("W_Q", "W_O", "W_gate") else kv_heads
        count *= pairs if key in ("W_K", "W_Q") else 1
        if len(shape) == 3 and key != "W_QKV":
            own = _without_heads(setup.tensor(entry), key, layout, count, width)
            expected = f"({width or 'in'}, {count} heads, width)"
            return setup.fail(entry, f"shape {[*shape]}", expected) if own is None else own
        is_other = len(shape) == 2 and width is not None and width != shape[0]
        is_turned = layout == "out-in" or (not layout and is_other and shape[1] == width)
        return setup.tensor(entry).T if len(shape) == 2 and is_turned else None

    for fused, kind in (("W_QKV", "W"), ("b_QKV", "b")):
        if fused not in given:
            continue
        for name in "QKV":
            if f"{kind}_{name}" in given:
                setup.fail(f"weights.{kind}_{name}", f"it beside {fused}", "one of the two")
        own = otherwise(fused)
        own = setup.tensor(f"weights.{fused}") if own is None else own
        width, rest = divmod(own.shape[-1], heads + 2 * kv_heads)
        if rest or not width:
            expected = f"a multiple of {heads + 2 * kv_heads} outputs"
            setup.fail(f"weights.{fused}", f"{own.shape[-1]} outputs", expected)
        groups = 1 if setup.one_of("fused", "blocks", "per-head") == "blocks" else kv_heads
        counts = [heads // groups * width, kv_heads // groups * width, kv_heads // groups * width]
        parts = own.reshape(*own.shape[:-1], groups, sum(counts)).split(counts, -1)
        for name, part in zip("QKV", parts):
            setup.settled[f"weights.{kind}_{name}"] = part.flatten(-2)
    for key in sorted(given, key=lambda key: key == "W_O"):
        if key in ("W_QKV", "b_QKV"):
            continue
        if key == "W_O" and setup.has("weights.W_V"):
            inputs["W_O"] = setup.shape("weights.W_V")[-1] // kv_heads * heads
        own = otherwise(key)
        if own is not None:
            setup.settled[f"weights.{key}"] = own


def _without_heads(own: Any, key: str, layout: str, heads: int, inputs: int | None) -> Any:
    """(in, out) of a matrix that has an axis of the heads; None if it cannot be one."""
    a, b, c = own.shape
    fits = lambda length: inputs is None or length == inputs
    if key == "W_O":  # (heads, width, out) or (out, heads, width)
        is_in = a == heads and fits(a * b)
        is_in = layout != "out-in" and (is_in or b != heads)
        return own.reshape(a * b, c) if is_in else own.reshape(a, b * c).T
    if layout != "out-in" and fits(a) and b == heads:
        return own.reshape(a, b * c)
    if layout != "out-in" and a == heads and fits(b):
        return own.transpose(0, 1).reshape(b, a * c)
    if layout != "in-out" and a == heads and fits(c):
        return own.reshape(a * b, c).T
    return None


def _parse_jsonc(text: str) -> Any:
    """JSON with comments and trailing commas; a key that stands twice is refused."""

    def members(pairs: list) -> dict:
        keys = [key for key, _ in pairs]
        twice = [key for key in keys if keys.count(key) > 1] if len(keys) < 1000 else []
        if twice:
            raise ValueError(f"the key {twice[0]!r} twice")
        return dict(pairs)

    def constant(word: str) -> None:
        raise ValueError(f"{word} (as a string it is a number)")

    string, comment = r'"(?:[^"\\]|\\.)*"', r"//[^\n]*|/\*.*?\*/"
    blank = lambda match: match[0] if match[0][0] == '"' else " "
    text = re.sub(f"{string}|{comment}", blank, text, flags=re.S)
    comma = lambda match: match[0] if match[0][0] == '"' else match[1]
    text = re.sub(rf"{string}|,(\s*[\]}}])", comma, text, flags=re.S)
    return json.loads(text, object_pairs_hook=members, parse_constant=constant)


def _deviates(kind: str, seed: int, count: int) -> Any:
    """The documented generator (src/formats/random.ts): splitmix32, sfc32, the polar method."""
    M, state, start = 0xFFFFFFFF, seed, []
    for _ in range(4):
        state = (state + 0x9E3779B9) & M
        z = ((state ^ (state >> 16)) * 0x21F0AAAD) & M
        z = ((z ^ (z >> 15)) * 0x735A2D97) & M
        start.append(z ^ (z >> 15))

    def sfc32() -> Any:
        a, b, c, d = start
        while True:
            output = (a + b + d) & M
            d = (d + 1) & M
            a, b = b ^ (b >> 9), (c + (c << 3)) & M
            c = (((c << 21) | (c >> 11)) + output) & M
            yield output

    stream, values = sfc32(), array.array("d", bytes(8 * (count + count % 2)))
    draw = stream.__next__
    for _ in range(12):
        draw()
    at, step, unit = 0, 2.0**-31, 2.0**-20
    if kind == "uniform":
        for at in range(count):
            values[at] = (draw() >> 12) * unit
    while kind == "normal" and at < count:
        a, b = draw() * step - 1, draw() * step - 1
        s = a * a + b * b
        if 0 < s < 1:
            r = math.sqrt((-2 * math.log(s)) / s)
            values[at] = math.floor(a * r * 2**20 + 0.5) * unit
            values[at + 1] = math.floor(b * r * 2**20 + 0.5) * unit
            at += 2
    return values[:count]


# ---- Reading a tensor out of a file ------------------------------------------------------------

# What safetensors and NumPy call PyTorch's types; unsigned ones that it may lack begin as signed.
KINDS: dict[str, str] = {}
for _own in (
    "bool BOOL b1, uint8 U8 u1, int8 I8 i1, int16 I16 i2 U16 u2, int32 I32 i4 U32 u4, "
    "int64 I64 i8 U64 u8, float16 F16 f2, bfloat16 BF16, float32 F32 f4, float64 F64 f8"
).split(", "):
    KINDS.update(dict.fromkeys(_own.split()[1:], _own.split()[0]))


def _read_tensor(torch: Any, path: str, key: Any) -> Any:
    """Mapped into memory where the file allows it. Raises ValueError with one line."""
    with open(path, "rb") as file:
        start = file.read(16)
        if start[8:9] == b"{":
            return _from_safetensors(torch, file, key)
        if start.startswith(b"\x93NUMPY"):
            return _from_npy(torch, file, 0)
        if start.startswith(b"PK"):
            return _from_npz(torch, file, key)
        file.seek(0)
        return _from_json(torch, file, key)


def _chosen(names: Any, key: Any) -> Any:
    names = list(names)
    if key in names or (key is None and len(names) == 1):
        return names[0] if key is None else key
    found = "no key" if key is None else f"no {key!r}"
    raise ValueError(f"found {found}, expected one of {' '.join(names[:20])}")


def _decoded(torch: Any, source: Any, at: int, kind: str, shape: Any, big: bool = False) -> Any:
    """`source` is an open file or bytes; `kind` is of KINDS."""
    if kind not in KINDS:
        raise ValueError(f"found numbers of type {kind}, expected booleans, integers or reals")
    dtype, count = getattr(torch, KINDS[kind]), functools.reduce(lambda a, b: a * b, shape, 1)
    size = torch.empty((), dtype=dtype).element_size()
    if not count:
        return torch.empty(tuple(shape), dtype=dtype)
    if isinstance(source, bytes):
        source = bytearray(source)
    else:
        source = mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_COPY)
    if len(source) < at + count * size:
        raise ValueError(f"found {len(source)} bytes, expected {at + count * size}")
    if at % size:  # a member of an archive lies anywhere
        source, at = bytearray(source[at : at + count * size]), 0
    if big and size > 1:
        raw = torch.frombuffer(source, dtype=torch.uint8, count=count * size, offset=at)
        value = raw.reshape(count, size).flip(1).contiguous().view(dtype).flatten()
    else:
        value = torch.frombuffer(source, dtype=dtype, count=count, offset=at)
    if kind in ("U16", "u2", "U32", "u4"):
        value = value.to(torch.int64) & (2 ** (8 * size) - 1)
    elif kind in ("U64", "u8"):
        value = value.double() + 2.0**64 * (value < 0)
    return value.reshape(tuple(shape))


def _from_safetensors(torch: Any, file: Any, key: Any) -> Any:
    file.seek(0)
    (length,) = struct.unpack("<Q", file.read(8))
    if not 2 <= length <= 10**8:
        raise ValueError(f"found a header of {length} bytes, expected a .safetensors file")
    header = json.loads(file.read(length))
    header.pop("__metadata__", None)
    entry = header[_chosen(header, key)]
    begin = 8 + length + entry["data_offsets"][0]
    return _decoded(torch, file, begin, entry["dtype"], entry["shape"])


def _from_npy(torch: Any, source: Any, at: int) -> Any:
    """`source` is an open file, in which the array begins at `at`, or the bytes of a member."""
    read = lambda begin, end: source[begin:end]
    if not isinstance(source, bytes):
        file = source
        read = lambda begin, end: (file.seek(at + begin), file.read(end - begin))[1]
    prefix = read(0, 12)
    wide = prefix[6:7] != b"\x01"
    start = 12 if wide else 10
    length = struct.unpack("<I" if wide else "<H", prefix[8:start])[0]
    header = ast.literal_eval(read(start, start + length).decode("latin1").strip())
    descr, shape = header["descr"], header["shape"]
    if type(descr) is not str:
        raise ValueError("found records of fields, expected a tensor")
    if header["fortran_order"]:
        shape = shape[::-1]
    value = _decoded(torch, source, at + start + length, descr[1:], shape, descr[0] == ">")
    return value.permute(*range(len(shape))[::-1]) if header["fortran_order"] else value


def _from_npz(torch: Any, file: Any, key: Any) -> Any:
    with zipfile.ZipFile(file) as archive:
        names = [name[:-4] for name in archive.namelist() if name.endswith(".npy")]
        member = archive.getinfo(f"{_chosen(names, key)}.npy")
        if member.compress_type != zipfile.ZIP_STORED:
            return _from_npy(torch, archive.read(member), 0)
        file.seek(member.header_offset + 26)
        name, extra = struct.unpack("<HH", file.read(4))
        return _from_npy(torch, file, member.header_offset + 30 + name + extra)


def _from_json(torch: Any, file: Any, key: Any) -> Any:
    tensors: dict[str, Any] = {}

    def collect(name: str, value: Any) -> None:
        if type(value) is dict and "shape" not in value:
            for inner, each in value.items():
                collect(f"{name}/{inner}" if name else inner, each)
        elif not (type(value) is str and name.rpartition("/")[2][:1] in "_$"):
            tensors[name] = value

    collect("", json.loads(file.read().decode("utf-8-sig")))
    value = tensors[_chosen(tensors, key)]
    shape = value["shape"] if type(value) is dict else None
    nested = value["data"] if type(value) is dict else value
    number = lambda each: [number(i) for i in each] if type(each) is list else (
        each if type(each) is bool else float(each)
    )
    kind, found, data, _ = _from_lists(number(nested))
    tensor = _decoded(torch, data, 0, TYPES[kind], found if shape is None else shape)
    is_bool = type(value) is dict and value.get("dtype") == "bool"
    return tensor.bool() if is_bool else tensor


# ---- Computing it, each process a part ---------------------------------------------------------


class _Mesh:
    """Which heads and tokens a process has: those of the same heads are a row of them.

    Heads are shared out by their KV heads as far as the number of processes allows, and tokens
    (those of queries, and those of keys before these are gathered) among what is left of them.
    """

    def __init__(self, torch: Any, kv_heads: int) -> None:
        self.torch, dist = torch, torch.distributed
        self.on = dist.is_available() and dist.is_initialized()
        self.rank, self.world = _rank() if self.on else (0, 1)
        heads = math.gcd(self.world, kv_heads)
        self.parts = {"heads": heads, "tokens": self.world // heads}
        self.via = "cuda" if self.on and dist.get_backend() == "nccl" else "cpu"
        self._groups = {}
        for axis, other in (("heads", "tokens"), ("tokens", "heads")):
            for part in range(self.parts[other]) if self.world > 1 else []:
                ranks = [r for r in range(self.world) if self.part(other, r) == part]
                group = dist.new_group(ranks)
                if self.rank in ranks:
                    self._groups[axis] = group

    def part(self, axis: str, rank: int | None = None) -> int:
        rank = self.rank if rank is None else rank
        tokens = self.parts["tokens"]
        return rank // tokens if axis == "heads" else rank % tokens

    def span(self, axis: str, length: int, rank: int | None = None) -> tuple[int, int]:
        part, parts = self.part(axis, rank), self.parts[axis]
        return length * part // parts, length * (part + 1) // parts

    def sum(self, tensor: Any, axis: str) -> Any:
        """Over the processes that differ in `axis`."""
        if self.parts[axis] == 1:
            return tensor
        total = tensor.detach().to(self.via, copy=True).contiguous()
        self.torch.distributed.all_reduce(total, group=self._groups[axis])
        return total.to(tensor.device)


def _collectives(torch: Any, mesh: _Mesh) -> tuple[Callable, Callable]:
    """Sums over processes, and the tokens of all, as functions that autograd knows."""

    class Summed(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, value: Any, axis: str, is_shared_out: bool) -> Any:
            ctx.axis = axis if is_shared_out else ""
            return mesh.sum(value, axis)

        @staticmethod
        def backward(ctx: Any, upstream: Any) -> Any:
            return mesh.sum(upstream, ctx.axis) if ctx.axis else upstream, None, None

    class Gathered(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, value: Any, length: int) -> Any:
            ctx.span = slice(*mesh.span("tokens", length))
            whole = value.new_zeros((*value.shape[:-2], length, value.shape[-1]))
            whole[..., ctx.span, :] = value
            return mesh.sum(whole, "tokens")

        @staticmethod
        def backward(ctx: Any, upstream: Any) -> Any:
            return mesh.sum(upstream, "tokens")[..., ctx.span, :].contiguous(), None

    def summed(value: Any, axis: str, is_shared_out: bool) -> Any:
        """`is_shared_out`: what is made of the sum differs in each process."""
        return value if mesh.parts[axis] == 1 else Summed.apply(value, axis, is_shared_out)

    def gathered(value: Any, length: int) -> Any:
        return value if mesh.parts["tokens"] == 1 else Gathered.apply(value, length)

    return summed, gathered


# Letters of axes: b batch; h heads, r KV heads; j queries, t new tokens, p earlier ones, i all
# keys; a width of keys, v of values; c e o features. (h a) is one axis, heads side by side in it.
# Of latent attention: m n the latents' features, d of a key those from them, z those that turn. Of
# differential attention s are the two softmaxes of a head.
TOKENS = {"K": "t", "Q": "j", "V": "t"}
SOURCES = {  # What each is projected from: the first of these that there is.
    **{"K": "cKVn cKV x", "V": "cKVn cKV xValue x", "KR": "x", "cKV": "x"},
    **{name: "cQn cQ xPrime x" for name in ("Q", "QR")},
    **{name: "xPrime x" for name in ("gate", "cQ")},
}
SPLIT_LETTERS = {"h": "heads", "r": "heads", "j": "tokens", "t": "tokens"}


def _letters(spec: str) -> list[str]:
    """ "b t (r a)": b, t, ra."""
    return [(wide or one).replace(" ", "") for wide, one in re.findall(r"\(([^)]*)\)|(\S+)", spec)]


class _Extents:
    """Lengths of the letters, learnt from the tensors that are given."""

    def __init__(self, setup: _Setup, mesh: _Mesh) -> None:
        self.setup, self.mesh, self.lengths = setup, mesh, {}

    def size(self, letters: str) -> int:
        return functools.reduce(lambda size, letter: size * self.lengths[letter], letters, 1)

    def shape(self, spec: str) -> tuple[int, ...]:
        return tuple(self.size(letters) for letters in _letters(spec))

    def fit(self, entry: str, shape: Any, spec: str) -> None:
        axes = _letters(spec)
        found = f"shape ({', '.join(map(str, shape))})"
        if len(shape) != len(axes):
            self.setup.fail(entry, found, f"{len(axes)} axes: {spec}")
        for letters, length in zip(axes, shape):
            new = [letter for letter in letters if letter not in self.lengths]
            known = self.size("".join(letter for letter in letters if letter not in new))
            if length % known or (not new and length != known) or not length:
                multiple = "a multiple of " if new else ""
                self.setup.fail(entry, found, f"{multiple}{known} on the axis {letters} of {spec}")
            for letter in new[:1]:
                self.lengths[letter] = length // known

    def slices(self, spec: str, rank: int | None = None) -> tuple[slice, ...]:
        """What of a tensor a process has."""
        result = []
        for letters in _letters(spec):
            first, *rest = letters
            low, high = 0, self.lengths[first]
            if first in SPLIT_LETTERS:
                group = self.lengths["h"] // self.lengths["r"] if first == "h" else 1
                low, high = self.mesh.span(SPLIT_LETTERS[first], high // group, rank)
                low, high = low * group, high * group
            inner = self.size("".join(rest))
            result.append(slice(low * inner, high * inner))
        return tuple(result)


class _Reference:
    """The nodes of a setup: values as they are computed, gradients after `backward`."""

    def __init__(self, torch: Any, setup: _Setup, device: Any) -> None:
        self.torch, self.setup, self.device = torch, setup, device
        if not setup.has("head"):
            setup.fail("head", "nothing", '"kq", "qkv" or "multihead"')
        self.head = setup.one_of("head", "kq", "qkv", "multihead")
        self.multi = self.head == "multihead"
        heads = setup.count("heads", 1)
        kv_heads = setup.count("kvHeads", heads)
        if heads % kv_heads or (not self.multi and heads * kv_heads > 1):
            setup.fail("kvHeads", f"{kv_heads} of {heads} heads", "a divisor, 1 of 1 in one head")
        usual = ("key-first", "query-first") if self.head == "kq" else ("query-first", "key-first")
        self.key_first = setup.one_of("axes", *usual) == "key-first"
        # Query heads that share a KV head by h mod kvHeads are no range of heads, nor are halves.
        self.is_interleaved = setup.one_of("grouping", "blocks", "interleaved") == "interleaved"
        halves = setup.one_of("differential.pairs", "adjacent", "halves") == "halves"
        self.mesh = _Mesh(torch, 1 if self.is_interleaved or halves else kv_heads)
        self.extents = _Extents(setup, self.mesh)
        self.extents.lengths.update(h=heads, r=kv_heads, s=2)
        paired = ("s {}" if halves else "{} s") if setup.has("differential") else "{}"
        self.heads = {"K": paired.format("r"), "Q": paired.format("h"), "V": "r"}
        self.query_heads = f"({self.heads['Q']})"
        self.summed, self.gathered = _collectives(torch, self.mesh)
        # Value, gradient if not its own, axes, and over which parts of the mesh gradients add up.
        self.nodes: dict[str, list[Any]] = {}
        self.b = ""

    def keep(self, name: str, value: Any, spec: str, adds: Any = None) -> Any:
        """A node; without `adds` its gradient is the sum over whatever it is not split by."""
        if not value.is_leaf:
            value.retain_grad()
        split = {SPLIT_LETTERS.get(letter) for letter in spec}
        adds = [axis for axis in ("heads", "tokens") if axis not in split] if adds is None else adds
        self.nodes[name] = [value, None, spec, adds]
        return value

    def local(self, tensor: Any, spec: str) -> Any:
        own = tensor[self.extents.slices(spec)] if spec else tensor
        return own.to(device=self.device, dtype=self.torch.float64, copy=True).contiguous()

    def leaf(self, name: str, entry: str, spec: str, adds: Any = None) -> None:
        if self.setup.has(entry):
            tensor = self.setup.tensor(entry)
            if entry.startswith("start.") and tensor.dim() == 4:
                tensor = self._side_by_side(tensor, self.heads[name])
            self.extents.fit(entry, tensor.shape, spec)
            self.keep(name, self.local(tensor, spec).requires_grad_(), spec, adds)

    def _side_by_side(self, tensor: Any, letters: str) -> Any:
        """(b heads t width) or (b t heads width) with the heads in one axis."""
        heads = self.count(letters)
        own = tensor.transpose(1, 2) if tensor.shape[1] == heads else tensor
        return own.flatten(2) if own.shape[2] == heads else tensor

    def count(self, letters: str) -> int:
        return self.extents.size(letters.replace(" ", ""))

    def wide(self, letter: str, heads: str) -> str:
        return f"({heads} {letter})" if self.multi else letter

    def features(self, name: str) -> str:
        """The axis of what is projected to keys, queries or values: all heads side by side."""
        return self.wide("v" if name == "V" else self.width, self.heads[name])

    def merged(self, name: str) -> str:
        """The axes of keys, queries or values as they are projected."""
        return f"{self.b}{TOKENS[name]} {self.features(name)}"

    def inputs(self) -> None:
        """All that is given, in the order of the engine's nodes."""
        setup, lengths = self.setup, self.extents.lengths
        _settle_weights(setup, lengths["h"], lengths["r"])
        self._check_entries()
        for entry in ("x", "xPrime", "start.Q", "start.K", "start.V"):
            if setup.has(entry):
                self.b = "b " if len(setup.shape(entry)) >= 3 else ""
                break
        self.leaf("x", "x", f"{self.b}t c")
        self.leaf("xPrime", "xPrime", f"{self.b}j e")
        self.leaf("xValue", "xValue", f"{self.b}t u")
        self.is_self = not setup.has("xPrime") and not setup.has("start.Q")
        if self.is_self:
            lengths["j"] = lengths["t"]
        feature = "e" if setup.has("xPrime") else "c"
        made_of = {"K": "c", "Q": feature, "V": "u" if setup.has("xValue") else "c"}
        if setup.has("weights.W_DKV"):
            made_of.update(K="m", V="m")
        if setup.has("weights.W_DQ"):
            made_of["Q"] = "n"
        self.width = "d" if setup.has("weights.W_KR") else "a"
        for name in TOKENS:
            self.leaf(name, f"start.{name}", self.merged(name))
        for kind in "Wb":
            for name in TOKENS:
                own = self.features(name)
                own = f"{made_of[name]} {own}" if kind == "W" else own
                self.leaf(f"{kind}_{name}", f"weights.{kind}_{name}", own)
            if kind == "W":
                self.leaf("W_O", "weights.W_O", f"{self.wide('v', 'h')} o")
        self.leaf("b_O", "weights.b_O", "o", ["tokens"])
        self._latent_weights(feature, made_of["Q"])
        for name, letter, of in zip(NULLS, "av", "KV"):
            self.leaf(name, f"weights.{name}", f"({self.heads[of]} {letter})")
        self._gains(feature)
        for name in (*WIDE, "gamma_O"):
            if setup.has(f"weights.{name}"):
                shape = tuple(setup.tensor(f"weights.{name}").shape)
                letter, heads = ("v", "h") if name == "gamma_O" else ("a", self.heads[name[-1]])
                is_own = shape == (lengths[letter],) or not self.multi
                self.leaf(name, f"weights.{name}", letter if is_own else f"({heads} {letter})")
        for name in ("sinks", "headScale"):
            self.leaf(name, f"weights.{name}", self.query_heads)
        for name in LAMBDAS:
            self.leaf(name, f"weights.{name}", "a")
        if setup.has("weights.lambda_share"):
            own = setup.tensor("weights.lambda_share")
            setup.settled["weights.lambda_share"] = own.reshape(()) if own.numel() == 1 else own
            self.leaf("lambda_share", "weights.lambda_share", "")
        if setup.has("weights.W_gate"):
            width = setup.tensor("weights.W_gate").shape[-1]
            own = "h" if width == lengths["h"] and lengths["v"] != 1 else "(h v)"
            self.leaf("W_gate", "weights.W_gate", f"{feature} {own}")
            self.leaf("b_gate", "weights.b_gate", own)

    def _latent_weights(self, feature: str, from_queries: str) -> None:
        """Of multi-head latent attention, and how wide whole keys are."""
        lengths = self.extents.lengths
        axes = {"W_DKV": "c m", "gamma_DKV": "m", "W_DQ": f"{feature} n", "gamma_DQ": "n"}
        axes.update(W_KR="c z", W_QR=f"{from_queries} ({self.heads['Q']} z)")
        for name in LATENT:
            self.leaf(name, f"weights.{name}", axes[name])
        if "z" in lengths:
            lengths["a"] = lengths["d"] + lengths["z"]

    def _gains(self, feature: str) -> None:
        """Of the norms around the attention."""
        setup = self.setup
        if setup.has("block.preNorm") or setup.flag("block.residual"):
            entry = "xPrime" if setup.has("xPrime") else "x"
            if not setup.has(entry):
                setup.fail("block", f"it without {entry}", "the input that it is of")
        output = "o" if "W_O" in self.nodes else "(h v)"
        for name, norm in AROUND.items():
            for kind in ("gamma", "beta"):
                entry = f"weights.{kind}_{name}"
                if setup.has(entry) and not setup.has(f"block.{norm}"):
                    setup.fail(entry, "it alone", f"block.{norm}, too")
                spec = feature if name == "pre" else output
                adds = ["tokens"] if spec == "o" else None
                self.leaf(f"{kind}_{name}", entry, spec, adds)

    def _late_inputs(self) -> None:
        """Those that are fitted when the number of keys is known."""
        setup, lengths, torch = self.setup, self.extents.lengths, self.torch
        if setup.has("positionBias"):
            is_learned = setup.one_of("positionBias.kind", "learned", "t5", "swin") == "learned"
            heads = self.query_heads
            order = f"{heads} i j" if self.key_first else f"{heads} j i"
            if not setup.has("positionBias.kind") or not setup.has("weights.B"):
                setup.fail("positionBias", setup.raw("positionBias"), "its kind, and weights.B")
            self.leaf("B", "weights.B", order if is_learned else f"w {heads}")
        if not setup.has("temperature"):
            return
        own = setup.raw("temperature")
        if type(own) is dict and not {"file", "random"} & set(own):
            place = torch.arange(lengths["p"], lengths["p"] + lengths["j"]).double() + 1
            if set(own) == {"logN"}:
                log_n = setup.number("temperature.logN", 2, "a number above 1", above=1)
                own = (place.log() / math.log(log_n)).clamp(min=1)
            elif set(own) == {"floor", "scale"}:
                scale = setup.number("temperature.scale", 0)
                floor = setup.count("temperature.floor", 1)
                own = 1 + scale * torch.log1p(torch.floor(place / floor))
            else:
                setup.fail("temperature", own, "logN, or floor and scale")
        else:
            own = setup.tensor("temperature")
        spec = f"{self.b if own.dim() == 2 else ''}j"
        self.extents.fit("temperature", own.shape, spec)
        self.keep("temperature", self.local(own, spec).requires_grad_(), spec)

    def _check_entries(self) -> None:
        """What the head needs, and what it has no use for."""
        setup, has = self.setup, self.setup.has
        unused = {"kq": ["weights.W_V", "weights.b_V", "start.V"], "qkv": []}.get(self.head, [])
        single = [] if self.multi else ["weights.W_O", "weights.b_O", "rope", "past", "grouping"]
        single += [] if self.multi else ["block", "zeroKey", "latentNorm", "differential"]
        single += [] if self.multi else [f"weights.{name}" for name in BESIDE]
        unused = [*unused, "xValue"] if self.head == "kq" else unused
        for entry in [*unused, *single]:
            if has(entry):
                setup.fail(entry, f"it with head {self.head}", "none: there is no such step")
        for name in "KQ" if self.head == "kq" else "KQV":
            for entry in (f"weights.W_{name}", f"weights.b_{name}"):
                if has(entry) and has(f"start.{name}"):
                    setup.fail(entry, f"it beside start.{name}", "one of the two")
            if not has(f"start.{name}") and not has(f"weights.W_{name}"):
                setup.fail(f"weights.W_{name}", "nothing", f"it or start.{name}")
        queries = has("start.Q") or has("xPrime")
        if not has("x") and not (queries and has("start.K") and (has("start.V") or has("xValue"))):
            setup.fail("x", "nothing", "the inputs")
        needs = [("weights.b_O", "weights.W_O"), *((f"weights.{name}", "qkNorm") for name in WIDE)]
        learned = [f"weights.{name}" for name in NULLS]
        pairs = [tuple(learned), tuple(learned[::-1]), ("past.K", "past.V"), ("past.V", "past.K")]
        pairs += [("dropout.p", "dropout.keep")]
        pairs += [("weights.b_gate", "weights.W_gate"), ("weights.B", "positionBias")]
        pairs += [(f"weights.{name}", "differential") for name in PAIRED]
        pairs += [(f"weights.gamma_{of}", f"weights.W_{of}") for of in ("DKV", "DQ")]
        pairs += [("weights.W_KR", "weights.W_QR"), ("weights.W_QR", "weights.W_KR")]
        if has("differential") and not has("weights.lambda_share"):
            pairs += [("differential", f"weights.{name}") for name in LAMBDAS]
        pairs += [("dropout", "dropout.p"), ("past", "past.K"), ("qkNorm", "qkNorm.kind")]
        for entry, other in [*needs, *pairs]:
            if has(entry) and not has(other):
                setup.fail(entry, "it alone", f"{other}, too")
        for name in LAMBDAS:
            if has("weights.lambda_share") and has(f"weights.{name}"):
                setup.fail(f"weights.{name}", "it beside lambda_share", "one of the two")
        if has("weights.gamma_O") and setup.raw("differential.norm") == "none":
            setup.fail("weights.gamma_O", "it without a norm", "the norm whose gain it is")
        if has("xValue") and has("weights.W_DKV"):
            setup.fail("xValue", "it beside weights.W_DKV", "one: values are made of its latents")
        is_early = setup.one_of("qkNorm.place", "before-rope", "after-rope") == "before-rope"
        if has("weights.W_KR") and has("rope") and has("qkNorm") and is_early:
            setup.fail("qkNorm.place", "before-rope", "after-rope: beside W_KR a part turns alone")

    # -- forward --

    def compute(self) -> None:
        """All nodes forward, then backward."""
        self.inputs()
        setup, lengths, b = self.setup, self.extents.lengths, self.b
        self._past()
        self._late_inputs()
        self._check_memory()
        self._before()
        self._latents()
        for name in TOKENS:
            if name not in self.nodes and (name != "V" or self.head != "kq"):
                self._project(name, self.merged(name))
        if self.multi:
            y, spec = self._multihead()
        else:
            K, Q = self._norm("K", f"{b}t a"), self._norm("Q", f"{b}j a")
            V = self.nodes["x" if self.head == "kq" else "V"][0]
            K, V = self.gathered(K, lengths["t"]), self.gathered(V, lengths["t"])
            P = self._weights(Q @ K.transpose(-1, -2), b)
            spec = f"{b}j {'c' if self.head == 'kq' else 'v'}"
            y = self.keep("y", P @ V, spec, [])
        self._backward(y, spec)

    def _past(self) -> None:
        """Earlier keys and values; those without a batch are the same for all of it."""
        self.past, lengths = {}, self.extents.lengths
        lengths["p"] = 0
        if self.setup.has("past"):
            del lengths["p"]
            for name, letter in (("K", "a"), ("V", "v")):
                tensor = self.setup.tensor(f"past.{name}")
                if self.b and (tensor.dim() == 3 or (tensor.dim() == 4 and len(tensor) == 1)):
                    tensor = tensor.expand(lengths["b"], *tensor.shape[-3:])
                spec = f"{self.b}({self.heads[name]}) p {letter}"
                self.extents.fit(f"past.{name}", tensor.shape, spec)
                self.past[name] = self.local(tensor, spec)
        self.nulls = ("null_K" in self.nodes) + self.setup.flag("zeroKey")
        lengths["i"] = lengths["p"] + lengths["t"] + self.nulls

    @property
    def stream(self) -> str:
        """The input that the residual connection goes past the attention."""
        return "xPrime" if "xPrime" in self.nodes else "x"

    def _before(self) -> None:
        """The norm before the attention."""
        if self.setup.has("block.preNorm"):
            value, _, spec, _ = self.nodes[self.stream]
            self.keep("xn", self._features_normed("pre", value, spec), spec)

    def _around(self, y: Any, spec: str) -> Any:
        """What follows the attention's own output, up to y."""
        setup = self.setup
        steps = [("yn", "outputNorm"), ("yr", "residual"), ("y", "postNorm")]
        steps = [(name, key) for name, key in steps if setup.has(f"block.{key}")]
        if ("yr", "residual") in steps and not setup.flag("block.residual"):
            steps.remove(("yr", "residual"))
        name = "ya" if steps else "y"
        y = self.keep(name, y, spec, [])
        for n, (name, key) in enumerate(steps):
            if key == "residual":
                y = y + self._past_attention(spec)
            else:
                y = self._features_normed("out" if key == "outputNorm" else "post", y, spec)
            y = self.keep("y" if n + 1 == len(steps) else name, y, spec, [])
        return y

    def _past_attention(self, spec: str) -> Any:
        """The input, as y lies; of processes with the same tokens one passes its gradient back."""
        value, _, own, _ = self.nodes[self.stream]
        features, expected = (self.extents.shape(each)[-1] for each in (own, spec))
        if features != expected:
            found = f"{features} features of {self.stream} and {expected} of the attention's output"
            self.setup.fail("block.residual", found, "as many")
        if "(h" in spec:
            return value[..., self.extents.slices(spec)[-1]]
        return value if self.mesh.part("heads") == 0 else value.detach()

    def _project(self, name: str, spec: str) -> Any:
        source = next(each for each in SOURCES[name].split() if each in self.nodes)
        source = "xn" if source == self.stream and "xn" in self.nodes else source
        weight = name.replace("c", "D") if name[0] == "c" else name
        value = self.nodes[source][0] @ self.nodes[f"W_{weight}"][0]
        if f"b_{name}" in self.nodes:
            value = value + self.nodes[f"b_{name}"][0]
        return self.keep(name, value, spec)

    def _latents(self) -> None:
        """Few features from which keys and values, or queries, of all heads are made; normed."""
        for name, spec in (("KV", f"{self.b}t m"), ("Q", f"{self.b}j n")):
            if f"W_D{name}" not in self.nodes:
                continue
            value = self._project(f"c{name}", spec)
            if f"gamma_D{name}" in self.nodes or self.setup.has("latentNorm"):
                value = self._divided("latentNorm", f"D{name}", value, _mean, (-1,), ("rms", 1e-6))
                self.keep(f"c{name}n", value, spec)

    def _norm(self, name: str, spec: str) -> Any:
        """Of keys or queries, the features of all heads side by side; a node where there is one."""
        value = self.nodes[name][0]
        if not self.setup.has("qkNorm"):
            return value
        width = self.extents.lengths["a"]
        value = self._normed(name, _heads_apart(value, width)).transpose(-3, -2).flatten(-2)
        return self.keep(f"{name}n", value, spec)

    def _normed(self, name: str, value: Any) -> Any:
        """Of keys or queries, (b heads t width)."""
        setup, lengths = self.setup, self.extents.lengths
        over = setup.one_of("qkNorm.over", "head", "all")
        count = lengths["a"] * (self.count(self.heads[name]) if over == "all" else 1)

        def mean(own: Any) -> Any:
            total = own.sum(-1, keepdim=True)
            if over == "all":
                total = self.summed(total.sum(-3, keepdim=True), "heads", True)
            return total / count

        return self._divided("qkNorm", name, value, mean, (-1, 1, lengths["a"]))

    def _divided(
        self, entry: str, name: str, value: Any, mean: Callable, shape: tuple, usual: Any = None
    ) -> Any:
        """By the root of the mean of squares; times gamma, plus beta of `name`, as `shape`.

        `usual` is the kind and epsilon where the setup says nothing.
        """
        setup = self.setup
        own = setup.raw(entry)
        if usual and not setup.has(entry):
            (kind, eps), unit = usual, 0
        elif type(own) is str:
            kind, eps, unit = setup.one_of(entry, "rms", "layer"), None, 0
        else:
            if type(own) is not dict or not set(own) <= {*SETUP["qkNorm"]}:
                setup.fail(entry, own, '"rms", "layer" or {"kind": "rms", "eps": 1e-6}')
            kind = setup.one_of(f"{entry}.kind", "rms", "layer")
            eps = setup.number(f"{entry}.eps", None, "a number from 0", least=0)
            unit = 1 if setup.flag(f"{entry}.unitOffset") else 0
        eps = (1e-6 if kind == "rms" else 1e-5) if eps is None else eps
        if kind == "layer":
            value = value - mean(value)
        value = value / self.torch.sqrt(mean(value * value) + eps)
        gamma, beta = (self.nodes.get(f"{each}_{name}", [None])[0] for each in ("gamma", "beta"))
        if kind == "rms" and beta is not None:
            setup.fail(f"weights.beta_{name}", "it with an RMS norm", "none: it has no bias")
        if gamma is not None:
            value = value * (unit + gamma).reshape(shape)
        return value if beta is None else value + beta.reshape(shape)

    def _features_normed(self, name: str, value: Any, spec: str) -> Any:
        """Of a layer's tokens, over all their features."""
        is_split = "(h" in spec
        count = self.extents.shape(spec)[-1]

        def mean(own: Any) -> Any:
            total = own.sum(-1, keepdim=True)
            return (self.summed(total, "heads", True) if is_split else total) / count

        return self._divided(f"block.{AROUND[name]}", name, value, mean, (-1,))

    def _rotated(self, name: str, value: Any, token: str) -> Any:
        setup, torch, width = self.setup, self.torch, value.shape[-1]
        turned = setup.count("rope.features", width)
        if turned % 2 or turned > width:
            entry, found = "rope", f"{turned} features that turn, in keys of width {width}"
            setup.fail(entry, found, f"an even number up to {width}: features turn in pairs")
        pairing = setup.one_of("rope.pairing", "half", "interleaved")
        angle, magnitude = self._angles(name, token, turned), self._magnitude()
        cos, sin, half = angle.cos() * magnitude, angle.sin() * magnitude, turned // 2
        value, rest = value[..., :turned], value[..., turned:]
        u, w = value[..., 0::2], value[..., 1::2]
        if pairing == "half":
            u, w = value[..., :half], value[..., half:]
        own = u * cos - w * sin, w * cos + u * sin
        own = torch.cat(own, -1) if pairing == "half" else torch.stack(own, -1).flatten(-2)
        return torch.cat([own, rest], -1)

    def _angles(self, name: str, token: str, turned: int) -> Any:
        """(t pairs) or (b 1 t pairs): positions times frequencies, section by section."""
        setup, torch, pairs = self.setup, self.torch, turned // 2
        sections = setup.raw("rope.sections") if setup.has("rope.sections") else [pairs]
        lengths = sections if type(sections) is list else [0]
        is_counts = all(type(each) is int and each > 0 for each in lengths)
        if not is_counts or sum(lengths) != pairs:
            expected = f"lengths that sum to {pairs}, the pairs that turn"
            setup.fail("rope.sections", sections, expected)
        if setup.has("rope.sections") and not setup.has("rope.positions"):
            setup.fail("rope.sections", "no positions", "one set for each section")
        is_own = setup.one_of("rope.sectionFrequencies", "shared", "own") == "own"
        places, angles, start = self._positions(name, token, len(sections)), [], 0
        for place, length in zip(places, sections):
            first = 0 if is_own else start
            pair = torch.arange(first, first + length, device=self.device).double()
            angles.append(place * self._frequencies(pair, 2 * length if is_own else turned, pairs))
            start += length
        return torch.cat(angles, -1)

    def _positions(self, name: str, token: str, count: int) -> list[Any]:
        """Of this process's tokens, (t 1) or (b 1 t 1), for each of `count` sections."""
        setup, lengths, torch = self.setup, self.extents.lengths, self.torch
        low, high = self.mesh.span("tokens", lengths[token])
        if not setup.has("rope.positions"):
            if setup.has("rope.queryPositions"):
                setup.fail("rope.queryPositions", "no positions", "those of the keys, too")
            place = torch.arange(lengths["p"] + low, lengths["p"] + high, device=self.device)
            return [place.double()[:, None]] * count
        entry = "rope.positions"
        if name == "Q" and (setup.has("rope.queryPositions") or setup.has("xPrime")):
            entry = "rope.queryPositions"
            if not setup.has(entry):
                setup.fail("rope.positions", "no queryPositions", "those of xPrime, too")
        tensor = setup.tensor(entry)
        front = [count] if setup.has("rope.sections") else []
        allowed = [[*front, lengths[token]]]
        allowed += [[*front, lengths["b"], lengths[token]]] if self.b else []
        if [*tensor.shape] not in allowed:
            setup.fail(entry, f"shape {[*tensor.shape]}", " or ".join(map(str, allowed)))
        own = tensor[..., low:high].to(device=self.device, dtype=torch.float64)
        own = own if front else own[None]
        return [*(own[..., None] if own.dim() == 2 else own[:, :, None, :, None])]

    def _scaling(self) -> dict[str, Any]:
        """The kind, and its numbers or their defaults; empty where frequencies are not scaled."""
        setup, entry = self.setup, "rope.scaling"
        if not setup.has(entry):
            return {}
        kinds = " or ".join(map(json.dumps, SCALINGS))
        own = setup.raw(entry)
        if type(own) is not dict or own.get("kind") not in [*SCALINGS]:
            setup.fail(entry, own, f"an object of kind {kinds}")
        needs, usual = SCALINGS[own["kind"]]
        for key in own:
            if key not in {"kind", *needs, *usual}:
                setup.fail(f"{entry}.{key}", "an unknown entry", " ".join([*needs, *usual]))
        found = {"kind": own["kind"], **usual}
        for key in {*needs, *usual} - {"truncate"}:
            if key in needs and key not in own:
                setup.fail(f"{entry}.{key}", "nothing", "a number above 0")
            found[key] = setup.number(f"{entry}.{key}", usual.get(key), "a number above 0", above=0)
        if "truncate" in own:
            found["truncate"] = setup.flag(f"{entry}.truncate")
        return found

    def _magnitude(self) -> float:
        """What YaRN multiplies cosine and sine by."""
        scaling = self._scaling()
        if scaling.get("kind") != "yarn":
            return 1.0
        usual = 0.1 * math.log(scaling["factor"]) + 1 if scaling["factor"] > 1 else 1.0
        return usual if scaling["magnitude"] is None else scaling["magnitude"]

    def _frequencies(self, pair: Any, width: int, pairs: int) -> Any:
        """In radians per position, of pairs of `width` features."""
        setup, torch = self.setup, self.torch
        if setup.has("rope.invFreq"):
            for other in ("base", "scaling", "sectionFrequencies"):
                if setup.has(f"rope.{other}"):
                    setup.fail(f"rope.{other}", "it beside invFreq", "one of the two")
            tensor = setup.tensor("rope.invFreq")
            if [*tensor.shape] != [pairs]:
                setup.fail("rope.invFreq", f"shape {[*tensor.shape]}", f"[{pairs}], one a pair")
            own = tensor.to(device=self.device, dtype=torch.float64)
            return own[pair.long()]
        base = float(setup.number("rope.base", 10000, "a number above 0", above=0))
        scaling = self._scaling()
        kind, factor = scaling.get("kind"), scaling.get("factor", 1)
        if kind == "ntk":
            base *= factor ** (width / (width - 2))
        own = torch.pow(base, -2 * pair / width)
        if kind in (None, "ntk"):
            return own
        if kind == "linear":
            return own / factor
        if kind == "llama3":
            low, high = scaling["lowFreqFactor"], scaling["highFreqFactor"]
            turns = own * scaling["originalLength"] / (2 * math.pi)
            kept = ((turns - low) / (high - low)).clamp(0, 1)
        else:
            low, span = _yarn_ramp(scaling, base, width)
            kept = 1 - ((pair - low) / span).clamp(0, 1)
        return own * (kept + (1 - kept) / factor)

    def _split(self, name: str) -> Any:
        """(b heads t width): turned, normed, and of keys and values those of all tokens."""
        b, setup, has_past = self.b, self.setup, name in self.past
        token, heads, letter = TOKENS[name], self.heads[name], "v" if name == "V" else "a"
        has_nulls = name != "Q" and self.nulls > 0
        has_part = name != "V" and "W_KR" in self.nodes
        place = setup.one_of("qkNorm.place", "before-rope", "after-rope")
        is_late = name != "V" and setup.has("qkNorm") and (has_part or place == "after-rope")
        spec = f"{b}({heads}) {token} {letter}"
        if has_part:
            own = self._beside(name)
        else:
            is_plain = name == "V" or is_late
            own = self.nodes[name][0] if is_plain else self._norm(name, self.merged(name))
            own = _heads_apart(own, self.extents.lengths[letter])
            if setup.has("rope") and name != "V":
                own = self._rotated(name, own, token)
        if is_late:
            own = self._normed(name, self.keep(f"{name}s", own, spec))
            own = self.keep(f"{name}n", own, spec) if has_past or has_nulls else own
        elif has_nulls or (has_part and has_past):
            own = self.keep(f"{name}s", own, spec)
        if name == "Q":
            return self.keep("Qh", own, spec)
        own = self.gathered(own, self.extents.lengths["t"])
        if has_past:
            own = self.torch.cat([self.past[name], own], -2)
        if has_nulls:
            own = self.torch.cat([own, *self._null_rows(name, own)], -2)
        return self.keep(f"{name}h", own, f"{b}({heads}) i {letter}")

    def _beside(self, name: str) -> Any:
        """Of keys or queries what is made from latents, and beside it the part that turns."""
        b, token, heads = self.b, TOKENS[name], self.heads[name]
        still = _heads_apart(self.nodes[name][0], self.extents.lengths["d"])
        if name == "K":  # one for all heads
            spec = f"{b}{token} z"
            part = self._project("KR", spec).unsqueeze(-3)
        else:
            spec = f"{b}({heads}) {token} z"
            part = self._project("QR", f"{b}{token} ({heads} z)")
            part = _heads_apart(part, self.extents.lengths["z"])
        if self.setup.has("rope"):
            part = self._rotated(name, part, token)
            kept = self.keep(f"{name}Rs", part.squeeze(-3) if name == "K" else part, spec)
            part = kept.unsqueeze(-3) if name == "K" else kept
        return self.torch.cat([still, part.expand(*still.shape[:-1], part.shape[-1])], -1)

    def _null_rows(self, name: str, own: Any) -> list[Any]:
        """Behind the keys or values of all tokens: a learned one, and one of zeros."""
        heads, width = own.shape[-3], own.shape[-1]
        rows = []
        if f"null_{name}" in self.nodes:
            rows.append(self.nodes[f"null_{name}"][0].reshape(heads, 1, width))
        if self.setup.flag("zeroKey"):
            rows.append(own.new_zeros(heads, 1, width))
        return [row.expand(*own.shape[:-2], 1, width) for row in rows]

    def _multihead(self) -> tuple[Any, str]:
        b = self.b
        Kh, Qh, Vh = map(self._split, TOKENS)
        Kh, Vh = self._for_queries(Kh, self.heads["K"]), self._for_queries(Vh, "r")
        P = self._weights(Qh @ Kh.transpose(-1, -2), f"{b}{self.query_heads} ")
        O = self.keep("O", self._difference(P) @ Vh, f"{b}h j v")
        O = self._gated(self._heads_normed(O))
        merged = O.transpose(-3, -2).flatten(-2)
        spec = f"{b}j (h v)"
        if "W_O" not in self.nodes:
            return self._around(merged, spec), spec
        y = self.keep("C", merged, spec) @ self.nodes["W_O"][0]
        y = self.summed(y, "heads", False)
        y = y + self.nodes["b_O"][0] if "b_O" in self.nodes else y
        return self._around(y, f"{b}j o"), f"{b}j o"

    def _for_queries(self, own: Any, heads: str) -> Any:
        """(b heads i width): of each query head the keys or values that it uses."""
        lengths = self.extents.lengths
        group = lengths["h"] // lengths["r"]
        if group == 1:
            return own
        outer, inner = (2 if heads == each else 1 for each in ("s r", "r s"))
        count = own.shape[-3] // (outer * inner)
        own = own.reshape(*own.shape[:-3], outer, count, inner, *own.shape[-2:])
        of = self.torch.arange(count * group, device=self.device)
        own = own.index_select(-4, of % count if self.is_interleaved else of // group)
        return own.flatten(-5, -3)

    def _lambda_init(self) -> float:
        """What the difference begins with, of a layer as in Ye et al. 2024, or said."""
        setup, below = self.setup, {"expected": "a number below 1", "below": 1}
        if setup.has("differential.lambdaInit") == setup.has("differential.layer"):
            setup.fail("differential", setup.raw("differential"), "either lambdaInit or the layer")
        if setup.has("differential.lambdaInit"):
            return setup.number("differential.lambdaInit", 0, **below)
        layer = setup.number("differential.layer", 0, "an integer from 0", True, least=0)
        return 0.8 - 0.6 * math.exp(-0.3 * layer)

    def _difference(self, P: Any) -> Any:
        """(b h j i): of each head the weights of one softmax less lambda times the other's."""
        if not self.setup.has("differential"):
            return P
        share = self.nodes.get("lambda_share", [None])[0]
        if share is None:
            q1, k1, q2, k2 = (self.nodes[name][0] for name in LAMBDAS)
            share = (q1 * k1).sum().exp() - (q2 * k2).sum().exp() + self._lambda_init()
            share = self.keep("lambda_full", share, "")
        axis = -4 if self.heads["Q"] == "s h" else -3
        shape = [P.shape[-3] // 2, *P.shape[-2:]]
        shape.insert(axis + 4, 2)
        first, second = P.reshape(*P.shape[:-3], *shape).unbind(axis)
        return self._keep_scores("Pdiff", first - share * second, f"{self.b}h ")

    def _heads_normed(self, O: Any) -> Any:
        """Of differential attention: each head's output normed, and times 1 - lambda_init."""
        setup, spec = self.setup, f"{self.b}h j v"
        if not setup.has("differential"):
            return O
        if setup.raw("differential.norm") != "none":
            shape = (-1, 1, self.extents.lengths["v"])
            O = self._divided("differential.norm", "O", O, _mean, shape, ("rms", 1e-5))
            O = self.keep("On", O, spec)
        initial = self._lambda_init()
        return O if initial == 0 else self.keep("Os", O * (1 - initial), spec)

    def _gated(self, O: Any) -> Any:
        """Times the sigmoid of a logit of each entry, or of each head."""
        if "W_gate" not in self.nodes:
            return O
        is_each = "v" in self.nodes["W_gate"][2]
        gate = self._project("gate", f"{self.b}j {'(h v)' if is_each else 'h'}").sigmoid()
        width = self.extents.lengths["v"] if is_each else 1
        return self.keep("Og", O * _heads_apart(gate, width), f"{self.b}h j v")

    def _position_bias(self) -> Any:
        """(own heads, own queries, keys), of a table that is learned."""
        setup, torch, lengths = self.setup, self.torch, self.extents.lengths
        if self.nulls:
            setup.fail("positionBias", "it beside null keys", "one: these have no position")
        table = self.nodes["B"][0]
        kind = setup.raw("positionBias.kind")
        if kind == "learned":
            return table.transpose(-1, -2) if self.key_first else table
        query = torch.arange(*self.mesh.span("tokens", lengths["j"]), device=self.device)[:, None]
        key = torch.arange(lengths["i"], device=self.device)
        if kind == "swin":
            sides = setup.raw("positionBias.window")
            if type(sides) is not list or len(sides) != 2 or math.prod(sides) != len(key):
                setup.fail("positionBias.window", sides, f"two sides of {len(key)} places")
            width = sides[1]
            down = query // width - key // width + sides[0] - 1
            across = query % width - key % width + width - 1
            return table[down * (2 * width - 1) + across].permute(2, 0, 1)
        entry = "positionBias.bidirectional"
        both = setup.flag(entry) or not setup.has(entry)
        most, buckets = setup.count("positionBias.maxDistance", 128), len(table)
        after = key - query - lengths["p"]
        base = (after > 0) * (buckets // 2) if both else torch.zeros_like(after)
        buckets = buckets // 2 if both else buckets
        distance = after.abs() if both else -after.clamp(max=0)
        exact = buckets // 2
        # In float32 as in the model: at the borders of the buckets it tells.
        far = torch.log(distance.float() / exact) / math.log(most / exact) * (buckets - exact)
        far = (exact + far.nan_to_num(0, 0, 0).long()).clamp(max=buckets - 1)
        return table[base + torch.where(distance < exact, distance, far)].permute(2, 0, 1)

    def _keep_scores(self, name: str, value: Any, front: str) -> Any:
        """A node of scores or weights: computed queries first, kept in the setup's order."""
        if self.key_first:
            return self.keep(name, value.transpose(-1, -2), f"{front}i j").transpose(-1, -2)
        return self.keep(name, value, f"{front}j i")

    def _weights(self, scores: Any, front: str) -> Any:
        """From raw scores, queries first, to what values are weighted by."""
        setup, torch = self.setup, self.torch
        keep = lambda name, value: self._keep_scores(name, value, front)
        step = keep("S", scores)
        if setup.raw("scale") == "1/sqrt(d)" or not (setup.has("scale") or self.head == "kq"):
            scale = 1 / math.sqrt(self.extents.lengths["a"])
        else:
            scale = setup.number("scale", None, 'a number or "1/sqrt(d)"')
        cap = setup.number("softcap", None, "a number above 0", above=0)
        by = [name for name in ("headScale", "temperature") if name in self.nodes]
        if scale is not None or cap is not None or by:
            Z = step * (1 if scale is None else scale)
            if "headScale" in by:
                Z = Z * self.nodes["headScale"][0].reshape(-1, 1, 1)
            if "temperature" in by:
                each = self.nodes["temperature"][0].unsqueeze(-1)
                Z = Z * (each.unsqueeze(-3) if self.multi else each)
            step = keep("Z", Z if cap is None else cap * torch.tanh(Z / cap))
        if "B" in self.nodes:
            step = keep("Zb", step + self._position_bias())
        mask = self._mask()
        if mask:
            hidden, bias = mask
            step = keep("M", torch.where(hidden, step.new_tensor(-math.inf), step + bias))
        # A query that sees nothing has weights of 0.
        dead, zero = (step == -math.inf).all(-1, keepdim=True), step.new_zeros(())
        beside = setup.one_of("softmax", "usual", "plus-one") == "plus-one"
        if "sinks" in self.nodes or beside:
            if "sinks" in self.nodes and beside:
                setup.fail("softmax", "it beside weights.sinks", "one of the two")
            sink = zero if beside else self.nodes["sinks"][0].reshape(-1, 1, 1)
            column = sink.expand(*step.shape[:-1], 1)
            P = torch.softmax(torch.cat([step, column], -1), -1)[..., :-1]
        else:
            P = torch.where(dead, zero, torch.softmax(torch.where(dead, zero, step), -1))
        step = keep("P", P)
        if not setup.has("dropout"):
            return step
        p = setup.number("dropout.p", 0, "a number from 0 to below 1", least=0, below=1)
        keeps = self._broadcast("dropout.keep", setup.tensor("dropout.keep")) != 0
        return keep("Pd", step * keeps / (1 - p))

    def _broadcast(self, entry: str, tensor: Any) -> Any:
        """Of up to four axes against (batch, heads, then the setup's axes): the own part of it."""
        lengths = self.extents.lengths
        scores = [lengths["j"], lengths["i"]]
        scores = scores[::-1] if self.key_first else scores
        full = [lengths.get("b", 1), self.count(self.heads["Q"]), *scores]
        shape = list(tensor.shape)
        own = [1] * (4 - len(shape)) + shape
        if not self.multi and len(shape) == 3:
            own = [shape[0], 1, *shape[1:]]
        if not 2 <= len(shape) <= 4 or any(each not in (1, all) for each, all in zip(own, full)):
            self.setup.fail(entry, f"shape {shape}", f"one that broadcasts to {full}")
        tensor = tensor.reshape(own)
        tensor = tensor.transpose(-1, -2) if self.key_first else tensor
        for axis, part in zip((1, 2), self.extents.slices(f"{self.query_heads} j")):
            if tensor.shape[axis] > 1:
                tensor = tensor.narrow(axis, part.start, part.stop - part.start)
        tensor = tensor.to(self.device)
        tensor = tensor if self.multi else tensor[:, 0]
        return tensor if self.b else tensor[0]

    def _mask(self) -> Any:
        """What is hidden and what is added, for the own queries; None where nothing masks."""
        lengths, nulls = self.extents.lengths, self.nulls
        lengths["i"] -= nulls  # masks are of tokens
        mask = self._token_mask()
        lengths["i"] += nulls
        pad = lambda own: self.torch.nn.functional.pad(own, (0, nulls)) if own.dim() else own
        return mask and tuple(map(pad, mask))

    def _token_mask(self) -> Any:
        """As _mask, but of the keys that are tokens alone."""
        setup, torch, lengths = self.setup, self.torch, self.extents.lengths
        raw = setup.raw("mask")
        parts = raw if type(raw) is list and any(type(part) in (dict, str) for part in raw) else []
        is_given = setup.has("mask") and type(raw) is not str and not parts
        names = ("none", "causal", "causal-bottom-right")
        words = [n for n, part in enumerate(parts) if type(part) is str]
        if len(words) > 1:
            setup.fail(f"mask.{words[1]}", parts[words[1]], "one causal mask in a list")
        named = f"mask.{words[0]}" if words else "none" if is_given or parts else "mask"
        name = setup.one_of(named, *names) if named != "none" else "none"
        window = setup.count("window", None)
        listed = [n for n, part in enumerate(parts) if type(part) is not str]
        hides = any(parts[n].get("kind") != "prefix" for n in listed if type(parts[n]) is dict)
        is_plain = name == "none" and window is None and not setup.has("alibi")
        if is_plain and not is_given and not hides:
            return None
        first = lengths["i"] - lengths["j"] if name == "causal-bottom-right" else lengths["p"]
        low, high = self.mesh.span("tokens", lengths["j"])
        query = torch.arange(low, high, device=self.device)[:, None] + first
        distance = query - torch.arange(lengths["i"], device=self.device)
        hidden = distance < 0 if name != "none" else torch.zeros_like(distance, dtype=torch.bool)
        bias = torch.zeros((), dtype=torch.float64, device=self.device)
        if is_given:
            given_hides, bias = self._given_mask("mask", "maskMeaning")
            hidden = hidden | given_hides
        if listed:
            hidden, bias = self._listed(listed, hidden, bias, query)
        if window is not None:
            hidden = hidden | (distance.abs() >= window)
        if setup.has("alibi"):
            bias = bias - self._slopes() * distance.abs()
        return hidden, bias

    def _given_mask(self, entry: str, meaning: str) -> Any:
        """What a tensor hides, and what it adds."""
        given = self.setup.tensor(entry)
        usual = "attend" if given.dtype == self.torch.bool else "add"
        meaning = self.setup.one_of(meaning, usual, "attend", "ignore", "add")
        given = self._broadcast(entry, given).double()
        if meaning == "add":
            return given == -math.inf, given
        return (given == 0) if meaning == "attend" else (given != 0), given.new_zeros(())

    def _of_tokens(self, entry: str, token: str) -> Any:
        """A number of each token or sequence: (b, 1 head, queries, keys); 1 where none is."""
        own = self.setup.tensor(entry)
        lengths = self.extents.lengths
        inner = [lengths[token]] if token else []
        shapes = [[lengths.get("b", 1), *inner], *([inner] if inner else [])]
        if list(own.shape) not in shapes:
            self.setup.fail(entry, f"shape {list(own.shape)}", " or ".join(map(str, shapes)))
        batch = own.shape[0] if own.dim() > len(inner) else 1
        own = own.to(self.device).reshape(batch, 1, *(inner or [1]))
        if token == "j":
            return own[..., slice(*self.mesh.span("tokens", lengths["j"]))].unsqueeze(-1)
        return own.unsqueeze(-2)

    def _listed(self, listed: list, hidden: Any, bias: Any, query: Any) -> tuple:
        """A list of masks: what any part hides, keys of a prefix aside from the causal one."""
        setup, torch, lengths = self.setup, self.torch, self.extents.lengths
        key = torch.arange(lengths["i"], device=self.device)

        def front(own: Any) -> Any:
            """Without the axes of one that the scores have not."""
            own = own if self.b else own[0]
            return own if self.multi else own.select(own.dim() - 3, 0)

        for n in listed:
            if not setup.has(f"mask.{n}.kind"):
                setup.fail(f"mask.{n}", setup.raw(f"mask.{n}"), f"a kind: {' '.join(MASK_PARTS)}")
        kinds = {n: setup.one_of(f"mask.{n}.kind", *MASK_PARTS) for n in listed}
        for n, kind in kinds.items():
            for name in setup.raw(f"mask.{n}"):
                if name not in ("kind", *MASK_PARTS[kind]):
                    setup.fail(f"mask.{n}.{name}", "an unknown entry", " ".join(MASK_PARTS[kind]))
        for n in (n for n in listed if kinds[n] == "prefix"):
            entry = f"mask.{n}.length"
            is_one = type(setup.raw(entry)) is int
            length = setup.raw(entry) if is_one else front(self._of_tokens(entry, ""))
            hidden = hidden & (key >= length)
        for n in listed:
            kind, part = kinds[n], f"mask.{n}"
            if kind == "given":
                hides, more = self._given_mask(f"{part}.tensor", f"{part}.meaning")
                hidden, bias = hidden | hides, bias + more
            elif kind == "padding" and setup.has(f"{part}.lengths"):
                hidden = hidden | (key >= front(self._of_tokens(f"{part}.lengths", "")))
            elif kind == "padding":
                hidden = hidden | (front(self._of_tokens(f"{part}.keep", "i")) == 0)
            elif kind == "window":
                left, right = (
                    setup.number(f"{part}.{side}", None, "an integer from 0", True, least=0)
                    for side in ("left", "right")
                )
                hidden = hidden if left is None else hidden | (query - key > left)
                hidden = hidden if right is None else hidden | (key - query > right)
            elif kind == "chunked":
                size = setup.count(f"{part}.size", None)
                chunk = lambda place: torch.div(place, size, rounding_mode="floor")
                hidden = hidden | (chunk(query) != chunk(key))
            elif kind == "documents":
                keys = self._of_tokens(f"{part}.ids", "i")
                if setup.has(f"{part}.queryIds"):
                    own = self._of_tokens(f"{part}.queryIds", "j")
                else:
                    if lengths["i"] - lengths["p"] != lengths["j"]:
                        setup.fail(part, "no queryIds", "them: the queries are not the last keys")
                    low, high = self.mesh.span("tokens", lengths["j"])
                    own = keys[..., lengths["p"] + low : lengths["p"] + high].transpose(-1, -2)
                hidden = hidden | (front(own) != front(keys))
        return hidden, bias

    def _slopes(self) -> Any:
        """2^(-8 (h + 1) / H) for H a power of two (Press et al. 2022, the authors' get_slopes)."""
        heads = self.count(self.heads["Q"])
        power = 2 ** (heads.bit_length() - 1)
        exponents = [-8 * (h + 1) / power for h in range(power)]
        exponents += [-4 * (2 * h + 1) / power for h in range(heads - power)]
        slopes = self.torch.tensor([2.0**each for each in exponents], dtype=self.torch.float64)
        if self.setup.raw("alibi") is not True:
            slopes = self.setup.tensor("alibi")
            if tuple(slopes.shape) != (heads,):
                found = f"shape {tuple(slopes.shape)}"
                self.setup.fail("alibi", found, f"one slope per head ({heads})")
        slopes = self.local(slopes, self.query_heads)
        return slopes.reshape(-1, 1, 1) if self.multi else slopes.reshape(1, 1)

    # -- loss and backward --

    def _backward(self, y: Any, spec: str) -> None:
        """f = F(sums over the entries of y), each process with its own; then autograd."""
        torch, grad = self.torch, self.torch.autograd.grad
        own = y.detach().requires_grad_()
        terms, combine = self._loss(own, spec)
        axes = ["tokens", "heads"] if "(h" in spec else ["tokens"]
        sums = []
        for term in terms:
            total = term.detach().sum()
            for axis in axes:
                total = self.mesh.sum(total, axis)
            sums.append(total.requires_grad_())
        f = combine(sums)
        none = [None] * len(sums)
        slopes = grad(f, sums, allow_unused=True) if f.requires_grad else none
        upstream = torch.zeros_like(own)
        for term, slope in zip(terms, slopes):
            if slope is not None and term.requires_grad:
                (part,) = grad(term.sum(), own, retain_graph=True)
                # A norm at 0 has the slope 0, its smallest subgradient.
                is_zero = (part == 0) | (slope == 0)
                upstream += torch.where(is_zero, torch.zeros_like(part), part * slope)
        y.backward(upstream)
        self.nodes["f"] = [f.detach(), torch.ones_like(f), "", []]

    def _loss(self, y: Any, spec: str) -> tuple[list[Any], Callable]:
        setup, shape = self.setup, self.extents.shape(spec)
        kinds = [kind for kind in ("upstream", "target", "expression") if setup.has(f"loss.{kind}")]
        first = lambda sums: sums[0]
        if not setup.has("loss"):
            return [y * y / 2], first
        if len(kinds) != 1:
            setup.fail("loss", " and ".join(kinds) or "none", "upstream, target or expression")

        def of_y(entry: str) -> Any:
            tensor = setup.tensor(entry)
            if not tensor.dim():
                return tensor.double()
            if tensor.dim() == 4 and entry in ("loss.upstream", "loss.target"):
                tensor = self._side_by_side(tensor, "h")
            if tuple(tensor.shape) != shape:
                setup.fail(entry, f"shape {tuple(tensor.shape)}", f"{shape}, the shape of y")
            return self.local(tensor, spec)

        if kinds == ["upstream"]:
            return [of_y("loss.upstream") * y], first
        if kinds == ["target"]:
            return [(y - of_y("loss.target")) ** 2 / 2], first
        constants = {"pi": math.pi, "tau": math.tau, "e": math.e}
        for name in setup.raw("loss.constants") or {}:
            entry = f"loss.constants.{name}"
            if name == "y" or not re.fullmatch(r"[A-Za-z_]\w*", name):
                setup.fail(entry, json.dumps(name), "letters, digits and _, and not y")
            is_number = type(setup.raw(entry)) in (int, float)
            constants[name] = setup.number(entry, 0) if is_number else of_y(entry)
        refuse = lambda found, expected: setup.fail("loss.expression", found, expected)
        text = setup.raw("loss.expression")
        if type(text) is not str:
            refuse(text, "a text")
        return _Expression(self.torch, refuse, text).of(y, constants, math.prod(shape))

    # -- what it takes --

    def _check_memory(self) -> None:
        """Refuses what would not fit, with the figure: scores and weights are what takes it."""
        setup, lengths = self.setup, self.extents.lengths
        heads = f"{self.query_heads} " if self.multi else ""
        spec = f"{self.b}{heads}j i"
        entries = math.prod(each.stop - each.start for each in self.extents.slices(spec))
        steps = 3 + any(map(setup.has, ("mask", "window", "alibi"))) + setup.has("dropout")
        need = 8 * entries * (2 * steps + 7)  # values, gradients, and what autograd keeps
        free = _free_memory(self.torch, self.device)
        is_over = self.torch.tensor(float(free is not None and need > free)).double()
        for axis in self.mesh.parts:  # all of them end, or none
            is_over = self.mesh.sum(is_over, axis)
        if is_over:
            each = f"in each of {self.mesh.world} processes" if self.mesh.world > 1 else ""
            free = "" if free is None else f" of {free / 2**30:.1f} that are free"
            found = f"{need / 2**30:.1f} GiB of scores and weights {each}".strip() + free
            setup.fail("x", found, "more processes (torchrun --nproc_per_node) or fewer tokens")


def _yarn_ramp(scaling: dict[str, Any], base: float, width: int) -> tuple[float, float]:
    """Where the ramp over the pairs begins, and how long it is (Peng et al. 2023, their code)."""

    def pair_at(turns: float) -> float:
        length = scaling["originalLength"]
        return width * math.log(length / (turns * 2 * math.pi)) / (2 * math.log(base))

    low, high = pair_at(scaling["betaFast"]), pair_at(scaling["betaSlow"])
    if scaling["truncate"]:
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, width - 1)
    return low, 0.001 if high == low else high - low


def _mean(own: Any) -> Any:
    return own.mean(-1, keepdim=True)


def _heads_apart(value: Any, width: int) -> Any:
    """(b tokens heads*width) as (b heads tokens width)."""
    shape = (*value.shape[:-1], value.shape[-1] // width, width)
    return value.reshape(shape).transpose(-3, -2)


def _free_memory(torch: Any, device: Any) -> float | None:
    """Bytes that this process may take; None where nothing tells."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    with contextlib.suppress(OSError):
        with open("/proc/meminfo") as file:
            found = re.search(r"MemAvailable:\s+(\d+) kB", file.read())
        if found:
            return int(found[1]) * 1024 / int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    return None


# ---- A loss that is an expression --------------------------------------------------------------

TOKEN = r"\s*((?:\d+(?:\.(?![*/^])\d*)?|\.\d+)(?:[eE][+-]?\d+)?|[A-Za-z_]\w*|\.[*/^]|[-+*/^(),])"
UNARY = "abs acos acosh asin asinh atan atanh cos cosh exp log log10 log2 sin sinh sqrt square tan "
UNARY += "tanh"
SUMS = {"sum": 1, "mean": 1, "norm": 1, "dot": 2}


class _Expression:
    """mathjs' syntax, as far as the engine takes it: sums of elementwise terms of y, and of these.

    Where a slope is 0 nothing is passed on, be the other factor infinite: |y| has slope 0 at 0.
    """

    def __init__(self, torch: Any, refuse: Callable, text: str) -> None:
        self.torch, self.refuse, self.at, self.tokens = torch, refuse, 0, []
        at = 0
        while text[at:].strip():
            match = re.compile(TOKEN).match(text, at)
            if not match:
                refuse(text[at : at + 20].strip(), "numbers, names, + - * / ^ and parentheses")
            self.tokens.append(match[0].strip())
            at = match.end()
        self.root = self._sum()
        if self.at < len(self.tokens):
            refuse(f"{self.tokens[self.at]} in {text}", "an operator before it, or the end")
        self.safe = self._safe()

    # Parsing, loosest first: ("+", a, b), ("call", name, arguments), a number, a name.

    def _next(self, *wanted: str) -> str:
        if self.at < len(self.tokens) and (not wanted or self.tokens[self.at] in wanted):
            self.at += 1
            return self.tokens[self.at - 1]
        return "" if wanted else self.refuse("its end", "a number, a name or a parenthesis")

    def _left(self, operand: Callable, *signs: str) -> Any:
        node, sign = operand(), self._next(*signs)
        while sign:
            node = (sign.strip("."), node, operand())
            sign = self._next(*signs)
        return node

    def _sum(self) -> Any:
        return self._left(self._product, "+", "-")

    def _product(self) -> Any:
        return self._left(self._signed, "*", "/", ".*", "./")

    def _signed(self) -> Any:
        sign = self._next("+", "-")
        if sign:
            return ("*", -1.0 if sign == "-" else 1.0, self._signed())
        base = self._leaf()
        return ("^", base, self._signed()) if self._next("^", ".^") else base

    def _leaf(self) -> Any:
        token = self._next()
        if token == "(":
            node = self._sum()
            return node if self._next(")") else self.refuse("an open parenthesis", "its )")
        if token[0].isdigit() or (token[0] == "." and token[1:].isalnum()):
            return float(token)
        if not re.match(r"[A-Za-z_]", token):
            self.refuse(token, "a number, a name or a parenthesis")
        if not self._next("("):
            return token
        arguments = [self._sum()]
        while self._next(","):
            arguments.append(self._sum())
        if not self._next(")"):
            self.refuse(f"{token}( without its )", "it")
        return ("call", token, arguments)

    # Evaluating: terms are tensors of y's shape, what stands around their sums is made of numbers.

    def of(self, y: Any, constants: dict[str, Any], count: int) -> tuple[list[Any], Callable]:
        """The terms to be summed over all entries of y, `count` of them, and f of the sums."""
        terms: list[Any] = []

        def term(node: Any) -> Any:
            nested = lambda name, _: self.refuse(f"{name} inside of a sum", "no sum in a sum")
            return self._value(node, {**constants, "y": y}, nested).expand(y.shape)

        def reduced(name: str, arguments: list[Any]) -> Callable:
            first, *_, last = (arguments * 2)[: max(2, len(arguments))]
            both = name in ("norm", "dot")
            terms.append(self.safe(operator.mul, term(first), term(last)) if both else term(first))
            place = len(terms) - 1
            if name == "norm":
                return lambda sums: self.safe(self.torch.sqrt, sums[place])
            return lambda sums: sums[place] / count if name == "mean" else sums[place]

        found: dict[int, Callable] = {}

        def collect(node: Any) -> None:
            if type(node) is tuple and node[0] == "call" and node[1] in SUMS:
                if len(node[2]) != SUMS[node[1]]:
                    self.refuse(f"{len(node[2])} arguments of {node[1]}", f"{SUMS[node[1]]}")
                found[id(node)] = reduced(node[1], node[2])
            elif type(node) is tuple:
                for each in node[2] if node[0] == "call" else node[1:]:
                    collect(each)

        collect(self.root)
        numbers = {name: value for name, value in constants.items() if not _axes_of(value)}

        def combine(sums: list[Any]) -> Any:
            return self._value(self.root, numbers, lambda _, node: found[id(node)](sums))

        return terms, combine

    def _value(self, node: Any, names: dict[str, Any], reduce: Callable) -> Any:
        torch = self.torch
        if type(node) is str and node not in names:
            known = "" if "y" in names else "; y stands only inside of sum, mean, dot and norm"
            self.refuse(f"the name {node}", f"one of {' '.join(names)}{known}")
        if type(node) is not tuple:
            value = names[node] if type(node) is str else node
            is_tensor = isinstance(value, torch.Tensor)
            return value if is_tensor else torch.tensor(value, dtype=torch.float64)
        if node[0] != "call":
            a, b = (self._value(each, names, reduce) for each in node[1:])
            signs = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}
            return self.safe(signs.get(node[0], operator.pow), a, b)
        _, name, arguments = node
        if name in SUMS:
            return reduce(name, node)
        if name not in (*UNARY.split(), "cbrt", "cube", "sech", "pow"):
            self.refuse(f"the function {name}", f"{' '.join(SUMS)} {UNARY} cbrt cube sech pow")
        values = [self._value(each, names, reduce) for each in arguments]
        if len(values) != (2 if name == "pow" else 1) and (name, len(values)) != ("log", 2):
            self.refuse(f"{len(values)} arguments of {name}", "as many as it takes")
        if name == "pow":
            return self.safe(operator.pow, *values)
        own = {
            "cbrt": lambda t: torch.sign(t) * torch.abs(t) ** (1 / 3),
            "cube": lambda t: t**3,
            "sech": lambda t: 1 / torch.cosh(t),
        }.get(name) or getattr(torch, name)
        if len(values) == 2:
            return self.safe(operator.truediv, *(self.safe(own, each) for each in values))
        return self.safe(own, values[0])

    def _safe(self) -> Callable:
        torch = self.torch

        class Safe(torch.autograd.Function):
            @staticmethod
            def forward(ctx: Any, own: Callable, *operands: Any) -> Any:
                ctx.own = own
                ctx.save_for_backward(*operands)
                return own(*operands)

            @staticmethod
            def backward(ctx: Any, upstream: Any) -> Any:
                operands = [each.detach().requires_grad_() for each in ctx.saved_tensors]
                with torch.enable_grad():
                    total = ctx.own(*operands).sum()
                slopes = torch.autograd.grad(total, operands)
                zero, no = torch.zeros_like(upstream), upstream == 0
                return (None, *(torch.where(no | (s == 0), zero, s * upstream) for s in slopes))

        def safe(own: Callable, *operands: Any) -> Any:
            device = next((each.device for each in operands if each.dim()), operands[0].device)
            operands = [each.to(device) for each in operands]
            return Safe.apply(own, *torch.broadcast_tensors(*operands))

        return safe


def _axes_of(value: Any) -> int:
    return value.dim() if hasattr(value, "dim") else 0


# ---- Writing it --------------------------------------------------------------------------------


def reference(setup: str, out: str, device: str = "") -> dict[str, tuple[int, ...]]:
    """Computes a setup forward and backward in float64 by PyTorch's autograd; writes N and dN.

    Within torch.distributed each process computes its heads and tokens, and the first writes.
    Gives the shapes of the nodes. Raises TraceError with one line.
    """
    import torch

    place = _device(torch, device)
    run = _Reference(torch, _Setup(torch, setup), place)
    run.compute()
    shapes = {name: run.extents.shape(node[2]) for name, node in run.nodes.items()}
    if not os.path.isdir(os.path.dirname(os.path.abspath(out))):
        raise TraceError(f"{out}: expected a name in a folder that is there")
    header, at = {"__metadata__": {"head": run.head, "by": f"PyTorch {torch.__version__}"}}, 0
    for name, shape in shapes.items():
        for each in (name, f"d{name}"):
            end = at + 8 * math.prod(shape)
            header[each] = {"dtype": "F64", "shape": list(shape), "data_offsets": [at, end]}
            at = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    start = struct.pack("<Q", len(text)) + text
    with contextlib.ExitStack() as stack:
        whole = None
        if run.mesh.rank == 0:
            file = stack.enter_context(_atomic(out))
            whole = _mapped(torch, file, start, at)
        for name in shapes:
            value, gradient, spec, adds = run.nodes.pop(name)
            gradient = value.grad if gradient is None else gradient
            gradient = torch.zeros_like(value) if gradient is None else gradient
            for axis in adds:
                gradient = run.mesh.sum(gradient, axis)
            for each, own in ((name, value.detach()), (f"d{name}", gradient)):
                begin = (len(start) + header[each]["data_offsets"][0]) // 8
                target = None if whole is None else whole.narrow(0, begin, math.prod(shapes[name]))
                _collect(run, own, spec, None if target is None else target.view(shapes[name]))
        whole = target = None  # so that nothing is mapped when the file takes its place
    if run.mesh.world > 1:
        torch.distributed.barrier()  # what was sent has arrived
    return shapes


def _device(torch: Any, named: str) -> Any:
    """Starts torch.distributed, too, where torchrun has started several processes."""
    local, dist = int(os.environ.get("LOCAL_RANK", 0)), torch.distributed
    named = named or ("cuda" if torch.cuda.is_available() else "cpu")
    if named == "cuda" and torch.cuda.is_available():
        named = f"cuda:{local % torch.cuda.device_count()}"
    try:
        device = torch.device(named)
        torch.zeros((), dtype=torch.float64, device=device)
        if device.type == "cuda":
            torch.cuda.set_device(device)
    except (RuntimeError, AssertionError, TypeError) as error:
        reason = str(error).partition("\n")[0]
        raise TraceError(f"--device {named}: {reason}; expected one that has float64") from error
    is_on = dist.is_available() and dist.is_initialized()
    if int(os.environ.get("WORLD_SIZE", 1)) > 1 and not is_on:
        if not dist.is_available():
            raise TraceError("found a PyTorch without torch.distributed, expected one process")
        alone = int(os.environ.get("LOCAL_WORLD_SIZE", 1)) <= torch.cuda.device_count()
        nccl = device.type == "cuda" and alone and dist.is_nccl_available()
        dist.init_process_group("nccl" if nccl else "gloo")
    return device


def _mapped(torch: Any, file: Any, start: bytes, size: int) -> Any:
    """The file's numbers as one tensor; disk space for all of them is taken first."""
    if sys.byteorder != "little":
        raise TraceError("found a big-endian machine, expected a little-endian one")
    file.write(start)
    file.flush()
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, len(start) + size)
    else:
        file.truncate(len(start) + size)
    count = (len(start) + size) // 8
    return torch.from_file(file.name, shared=True, size=count, dtype=torch.float64)


def _collect(run: _Reference, own: Any, spec: str, target: Any) -> None:
    """Parts of all processes, one after the other, into the first one's `target`."""
    torch, mesh = run.torch, run.mesh
    split = {SPLIT_LETTERS.get(letter) for letter in spec}
    for rank in range(mesh.world):
        slices = run.extents.slices(spec, rank)
        shape = [each.stop - each.start for each in slices]
        is_copy = any(mesh.part(axis, rank) for axis in mesh.parts if axis not in split)
        if is_copy or 0 in shape:
            continue
        if rank == 0 and mesh.rank == 0:
            target[slices] = own.cpu()
        elif mesh.rank == rank:
            torch.distributed.send(own.to(mesh.via).contiguous(), 0)
        elif mesh.rank == 0:
            part = torch.empty(shape, dtype=torch.float64, device=mesh.via)
            torch.distributed.recv(part, rank)
            target[slices] = part.cpu()


def _reference_command(given: Any) -> int:
    began = time.time()
    shapes = reference(given.setup, given.out, given.device)
    rank, world = _rank()
    if world > 1:
        sys.modules["torch"].distributed.destroy_process_group()
    if rank == 0:
        by = f"{world} processes" if world > 1 else "one process"
        print(f"{given.out}: {len(shapes)} nodes and gradients, {by}, {time.time() - began:.1f} s")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description="Tensors for the Attention Gradient Debugger.")
    commands = parser.add_subparsers(dest="command", required=True)
    merging = commands.add_parser("merge", help="puts the parts of several ranks together")
    merging.add_argument("files", nargs="+", help="the parts, such as 'mine.rank*.npz'")
    merging.add_argument("out", help="the file to write")
    merging.add_argument("--reduce", default="", metavar="NAMES", help="such as gradients,y,f")
    computing = commands.add_parser("reference", help="computes a setup by PyTorch in float64")
    computing.add_argument("setup", help="such as mine.attention.json")
    computing.add_argument("--out", required=True, metavar="FILE.safetensors")
    computing.add_argument("--device", default="", help="such as cuda or cpu; a GPU where one is")
    given = parser.parse_args()
    try:
        if given.command == "reference":
            return _reference_command(given)
        files = [file for each in given.files for file in sorted(glob.glob(each)) or [each]]
        merge(files, given.out, given.reduce.split(","))
    except (TraceError, ImportError) as error:
        if os.environ.get("LOCAL_RANK", "0") == "0":  # once for each machine
            print(f"{given.command}: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
