"""Writes the tensors of your own attention to a file, for the Attention Gradient Debugger.

The shortest way, for a PyTorch module; it writes the tensors and what to compare them with:

    with trace("mine.npz") as t:
        t.watch(attention)                      # records the module as it is called
        attention(x).square().sum().backward()  # any loss
        t.save_setup("mine.attention.json")     # mask="causal" and so on: what was meant

One file, standard library only: it uses the NumPy, PyTorch or JAX that your program has imported.
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
import contextlib
import ctypes
import functools
import glob
import json
import os
import re
import signal
import socket
import stat
import struct
import sys
import threading
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


def main() -> int:
    parser = argparse.ArgumentParser(description="Puts the parts of several ranks together.")
    parser.add_argument("command", choices=["merge"])
    parser.add_argument("files", nargs="+", help="the parts, such as 'mine.rank*.npz'")
    parser.add_argument("out", help="the file to write")
    parser.add_argument("--reduce", default="", metavar="NAMES", help="such as gradients,y,f")
    given = parser.parse_args()
    files = [file for each in given.files for file in sorted(glob.glob(each)) or [each]]
    try:
        merge(files, given.out, given.reduce.split(","))
    except (TraceError, ImportError) as error:
        print(f"merge: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
