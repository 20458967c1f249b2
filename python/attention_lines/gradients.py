"""Gradients by autograd's hooks, which hand on what they are given."""

from __future__ import annotations


class GradientHook:
    """Records the gradient of event `of`. It holds no tensor and returns nothing, so that nothing is changed."""

    __torch_unserializable__ = True  # PyTorch warns of other hooks when a tensor is saved

    def __init__(self, recorder, of, output):
        self.recorder, self.of, self.output = recorder, of, output

    def __call__(self, *given):
        gradient = given[0] if self.output is None else given[1][self.output]
        if gradient is not None:
            self.recorder.gradient(self.of, gradient)


def watch(recorder, tensor, event):
    """Hooks on the node that made the tensor: an in-place change later makes another node."""
    if not tensor.requires_grad:
        return
    node = tensor.grad_fn
    if node is None:
        tensor.register_hook(GradientHook(recorder, event, None))
    else:
        node.register_hook(GradientHook(recorder, event, tensor.output_nr))
