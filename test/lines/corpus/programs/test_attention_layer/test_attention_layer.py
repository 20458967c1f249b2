"""Run with `python test_attention_layer.py` or pytest."""
import unittest
import numpy as np


def scaled_dot_product(q, k, v, mask):
    """q (h, m, d), k (h, n, d), v (h, n, e), mask (m, n) True where a query may look."""
    logits = np.einsum("hmd,hnd->hmn", q, k) / np.sqrt(q.shape[2])
    logits = np.where(mask, logits, -np.inf)
    probs = np.exp(logits - np.max(logits, axis=2, keepdims=True))
    probs = probs / np.sum(probs, axis=2, keepdims=True)
    return np.einsum("hmn,hne->hme", probs, v), probs


def scaled_dot_product_grad(grad, q, k, v, probs):
    scale = 1 / np.sqrt(q.shape[2])
    grad_v = np.einsum("hmn,hme->hne", probs, grad)
    grad_probs = np.einsum("hme,hne->hmn", grad, v)
    correction = np.einsum("hmn,hmn->hm", grad_probs, probs)
    grad_logits = probs * (grad_probs - correction[:, :, np.newaxis])
    grad_q = np.einsum("hmn,hnd->hmd", grad_logits, k) * scale
    grad_k = np.einsum("hmn,hmd->hnd", grad_logits, q) * scale
    return grad_q, grad_k, grad_v


def make_case(seed):
    rng = np.random.default_rng(seed)
    h, m, n, d, e = 2, 4, 6, 3, 5
    q, k = rng.normal(size=(h, m, d)), rng.normal(size=(h, n, d))
    v, grad = rng.normal(size=(h, n, e)), rng.normal(size=(h, m, e))
    mask = np.arange(n)[None, :] <= np.arange(m)[:, None] + (n - m)
    return q, k, v, grad, mask


class TestAttention(unittest.TestCase):
    def test_gradients(self):
        q, k, v, grad, mask = make_case(3)
        out, probs = scaled_dot_product(q, k, v, mask)
        grads = scaled_dot_product_grad(grad, q, k, v, probs)
        print("out", np.linalg.norm(out), "grads", *(np.linalg.norm(g) for g in grads))
        for name, value, got in zip("qkv", (q, k, v), grads):
            want = np.zeros_like(value)
            for index in np.ndindex(value.shape):
                shifted = [q, k, v]
                for sign in (1, -1):
                    moved = value.copy()
                    moved[index] += sign * 1e-6
                    shifted["qkv".index(name)] = moved
                    want[index] += sign * np.sum(scaled_dot_product(*shifted, mask)[0] * grad) / 2e-6
            np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-7, err_msg=name)

    def test_rows_sum_to_one(self):
        q, k, v, grad, mask = make_case(4)
        _, probs = scaled_dot_product(q, k, v, mask)
        np.testing.assert_allclose(probs.sum(-1), 1)


if __name__ == "__main__":
    unittest.main()
