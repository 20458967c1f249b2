"""What is known of functions and methods without running them: which leave their operands as they are."""

from __future__ import annotations

# Root modules whose functions neither change their arguments (but for MUTATORS, `out=` and a trailing
# underscore) nor return a tensor that they were not given.
PURE_MODULES = frozenset("numpy torch math scipy jax einops functools itertools operator random time os sys".split())

# Functions and methods of pure modules that change an argument all the same.
MUTATORS = frozenset(
    """copyto put place putmask fill_diagonal put_along_axis at shuffle fill sort partition itemset resize
    setflags byteswap setfield clip_grad_norm_ clip_grad_value_ backward step fill_ copy_ out""".split()
)

# Methods of arrays, tensors, modules, strings and containers that change no tensor.
PURE_METHODS = frozenset(
    """abs all any argmax argmin argsort astype bmm bool chunk clamp clip clone conj contiguous copy cos cpu cuda
    cumprod cumsum detach diag diagonal dim div dot double eq exp expand expand_as flatten float floor gather ge
    get gt half imag index_select int isinf isnan item items keys le log log2 logical_and logical_not logical_or
    logsumexp long lt masked_fill masked_select matmul max mean min mm mul narrow ndimension neg norm numel numpy
    permute pow prod ravel real reciprocal repeat repeat_interleave requires_grad_ reshape round rsqrt select
    sigmoid sign sin size softmax split sqrt square squeeze std stride sub sum swapaxes swapdims t take tanh to
    tobytes tolist topk trace transpose tril triu type type_as unbind unfold unsqueeze values var view view_as where
    new_zeros new_ones new_full new_empty log_softmax roll flip nonzero new_tensor mT bfloat16 cross
    randn rand normal uniform standard_normal integers random choice permutation random_sample manual_seed
    format join startswith endswith lower upper strip append extend insert index count parameters
    named_parameters buffers named_buffers state_dict train eval zero_grad add_argument parse_args
    save_for_backward mark_non_differentiable group groups""".split()
)

# Attributes that hold no tensor of their own.
PLAIN_ATTRIBUTES = frozenset("shape dtype ndim size T mT H device itemsize nbytes strides requires_grad is_cuda".split())

# Built-in functions that neither change a tensor nor hand on one that they were given.
PURE_BUILTINS = frozenset(
    """abs all any ascii bin bool bytes callable chr complex dict dir divmod enumerate float format frozenset
    globals hasattr hash hex id input int isinstance issubclass len list locals map oct open ord pow print range
    repr reversed round set slice sorted str super tuple type vars zip property staticmethod classmethod
    delattr setattr object filter breakpoint memoryview bytearray""".split()
)

# Decorators and functions that compile what they are given instead of running it.
JITS = {
    "numba": ("jit", "njit", "vectorize", "guvectorize", "stencil"),
    "torch": ("compile", "jit.script", "jit.trace", "_dynamo.optimize"),
    "triton": ("jit", "autotune", "heuristics"),
    "jax": ("jit", "pmap", "checkpoint", "remat"),
    "tensorflow": ("function",),
    "cupy": ("fuse",),
    "taichi": ("kernel", "func"),
}

INSTEAD = {
    "numba": "set NUMBA_DISABLE_JIT=1, or remove the decorator for this run",
    "torch": "call it without torch.compile or torch.jit for this run",
    "triton": "set TRITON_INTERPRET=1 and compare what the kernel returns",
    "jax": "run it under jax.disable_jit(), or without jax.jit, for this run",
}
