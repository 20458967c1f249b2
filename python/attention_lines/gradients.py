"""Gradients by autograd's hooks, which hand on what they are given."""

from __future__ import annotations


class GradientHook:
    """Records the gradient of a known tensor. It holds no tensor and returns nothing, so that nothing is changed."""

    def __init__(self, recorder, known, output):
        self.recorder, self.known, self.output = recorder, known, output
        self.of = known.event

    def __call__(self, *given):
        if self.output is None:  # a leaf, whose content changes between two backward passes
            self.recorder.gradient(self.known.content, given[0])
        elif given[1][self.output] is not None:
            self.recorder.gradient(self.of, given[1][self.output])


class _Key(int):
    """The key of a hook: PyTorch warns of hooks without this mark when their tensor is saved."""

    __torch_unserializable__ = True


def watch(recorder, tensor, known):
    """Hooks on the node that made the tensor: an in-place change later makes another node."""
    node = tensor.grad_fn
    if node is not None:
        node.register_hook(GradientHook(recorder, known, tensor.output_nr))
        return
    handle = tensor.register_hook(GradientHook(recorder, known, None))
    hooks = tensor._backward_hooks
    if isinstance(hooks, dict) and handle.id in hooks:
        hooks[_Key(handle.id)] = hooks.pop(handle.id)
