"""Small edits of a statement: what is generated, how it is evaluated, and that nothing else happens meanwhile."""
import ast
import os
import sys
import tempfile
import textwrap
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', '..', 'python'))

import numpy as np
import torch

from attention_lines.mutate import frame, loaded, vary
from attention_lines.mutate.candidates import candidates
from attention_lines.mutate.launch import _keep_outer
from attention_lines.mutate.scope import Scope
from attention_lines.mutate.mutation import Edit
from attention_lines.mutate.source import Source

BEFORE = """
import numpy as np
import torch
rng = np.random.default_rng(3)
T, D, H = 5, 4, 2
Q, K, V = rng.normal(size=(T, D)), rng.normal(size=(T, D)), rng.normal(size=(T, D))
S = Q @ K.T / np.sqrt(D)
P = np.exp(S) / np.exp(S).sum(axis=-1, keepdims=True)
dO = rng.normal(size=(T, D))
dP = dO @ V.T
inner = (P * dP).sum(axis=-1, keepdims=True)
mean = inner[:, 0]
dS = P * (dP - inner)
mask = np.triu(np.ones((T, T), dtype=bool), k=1)
heads = rng.normal(size=(H, T, D))
wheads = rng.normal(size=(H, T, 3))
acc = np.zeros((T, D))
grads = {"q": dS @ K, "k": dS.T @ Q}
size = D
torch.manual_seed(1)
layers = torch.nn.Module()
layers.one, layers.other = torch.nn.Linear(D, D).double(), torch.nn.Linear(D, D).double()
layers.other.weight.data += 1
def twice(a):
    return 2 * a
def thrice(a):
    return 3 * a
half = dS @ K * size ** -0.5
tq, tk = torch.from_numpy(Q), torch.from_numpy(K)
def grow(a):
    return a + 1
step, wide = 1, rng.normal(size=(T, 3 * D))
turn = np.exp(1j * P)
m_old, m_new = S.max(axis=1), S.max(axis=1) + P[:, 0]
pad = (np.arange(T * T).reshape(T, T) % 3 > 0) * 1.0
class Node:
    def __init__(self, data):
        self.data, self.shape = data, data.shape
    def __matmul__(self, other):
        return Node(self.data @ other.data)
    @property
    def T(self):
        return Node(self.data.T)
oq, ok, ow = Node(Q), Node(K), Node(wide)
def maker(n):
    def times(a):
        return n * a
    return times
five = maker(5)
def shifted(a, by=1):
    return a + by
def later(rows, columns):
    return rows[:, None] > columns[:, 0]
es = np.einsum
"""

# What the person wrote, and what was meant.
MISTAKES = [
    ('r = Q @ K / np.sqrt(D)', 'r = Q @ K.T / np.sqrt(D)'),
    ('r = Q @ K.T / np.sqrt(T)', 'r = Q @ K.T / np.sqrt(D)'),
    ('r = Q @ K.T', 'r = Q @ K.T / np.sqrt(D)'),
    ('r = P / P.sum(axis=0, keepdims=True)', 'r = P / P.sum(axis=1, keepdims=True)'),
    ('r = dP - (P * dP).sum(axis=1)', 'r = dP - (P * dP).sum(axis=1, keepdims=True)'),
    ('r = P * dP', 'r = P * (dP - inner)'),
    ('r = P * dP - inner', 'r = P * (dP - inner)'),
    ('r = P * (dP - mean)', 'r = P * (dP - mean[:, None])'),
    ('r = P * (dP - (P * dP).mean(axis=-1, keepdims=True))', 'r = P * (dP - (P * dP).sum(axis=-1, keepdims=True))'),
    ('r = np.where(mask, S, -np.inf)', 'r = np.where(mask, -np.inf, S)'),
    ('r = S', 'r = np.where(mask, -np.inf, S)'),
    ('r = np.triu(np.ones((T, T)), k=2)', 'r = np.triu(np.ones((T, T)), k=1)'),
    ('r = np.tril(np.ones((T, T)), k=-1)', 'r = np.triu(np.ones((T, T)), k=1)'),
    ('r = np.einsum("td,sd->ts", K, Q)', 'r = np.einsum("td,sd->ts", Q, K)'),
    ('r = es("td,sd->st", Q, K)', 'r = es("td,sd->ts", Q, K)'),
    ('r = heads.sum(axis=2)[:, None]', 'r = heads.sum(axis=2)[:, :, None]'),
    ('r = np.einsum("ts,sd->td", dS, Q)', 'r = np.einsum("ts,td->sd", dS, Q)'),
    ('r = np.einsum("td,td->d", heads[0], heads[0])', 'r = np.einsum("htd,htd->d", heads, heads)'),
    ('r = heads.reshape(T, H * D)', 'r = heads.transpose(1, 0, 2).reshape(T, H * D)'),
    ('r = heads.sum()', 'r = heads.sum(axis=0)'),
    ('r = 1 - np.tanh(S)', 'r = 1 - np.tanh(S) ** 2'),
    ('r = grads["q"]', 'r = grads["k"]'),
    ('r, s = dS @ K, dS @ Q', 'r, s = dS @ K, dS.T @ Q'),
    ('r = dS @ K', 'r = dS @ K + dS.T @ Q'),
    ('r = tq @ tk', 'r = tq @ tk.transpose(-2, -1)'),
    ('r = torch.softmax(tq @ tk.T, dim=0)', 'r = torch.softmax(tq @ tk.T, dim=-1)'),
    ('acc[1:3] = P[1:3] @ V', 'acc[1:3] = P[1:3] @ V * 2'),
    ('acc -= P @ V', 'acc += P @ V'),
    ('r = Q.astype(np.float16) @ K.T', 'r = Q @ K.T'),
    ('r = dS.T @ Q', 'r = dS.T @ Q * size ** -0.5'),
    ('r = inner + np.exp(S).sum(axis=-1, keepdims=True)', 'r = inner + np.log(np.exp(S).sum(axis=-1, keepdims=True))'),
    ('r = np.tile(heads, (1, H, 1))', 'r = np.repeat(heads, H, axis=1)'),
    ('r = np.repeat(heads, H, axis=0)', 'r = np.tile(heads, (H, 1, 1))'),
    ('r = tq.repeat(H, 1)', 'r = tq.repeat_interleave(H, dim=0)'),
    ('r = tq.repeat_interleave(H, dim=0)', 'r = tq.repeat(H, 1)'),
    ('r = mask | (S > 0)', 'r = mask & (S > 0)'),
    ('r = layers.one(tq)', 'r = layers.other(tq)'),
    ('r = twice(Q)', 'r = thrice(Q)'),
    ('r = 2 * dO / len(dO)', 'r = 2 * dO / dO.size'),
    ('r = grow(Q * step)', 'r = grow(Q) * step'),
    ('r = grow(Q) * size', 'r = grow(Q * size)'),
    ('r = Q @ K.T', 'r = grow(Q) @ K.T'),
    ('r = wide[:, step:step + D]', 'r = wide[:, step * D:(step + 1) * D]'),
    ('r = (turn * (P + 1j)).real', 'r = (turn.conj() * (P + 1j)).real'),
    ('r = P + S', 'r = np.exp(m_old - m_new)[:, None] * P + S'),
    ('r = S', 'r = np.where(pad == 0, -np.inf, S)'),
    ('r = dO / dO.size', 'r = dO / (mask.sum() * D)'),
    ('np.matmul(dO, V.T, out=dP)', 'np.add(dP, dO @ V.T, out=dP)'),
    ('r = oq @ oq.T', 'r = oq @ ok.T'),
    ('r = oq @ ow', 'r = oq.T @ ow'),
    ('r = S * ow.shape[1]', 'r = S * oq.shape[1]'),
    ('r = (tq @ tk.T).sum(dim=0)', 'r = (tq @ tk.T).logsumexp(dim=0)'),
    ('r = np.arange(8) % H', 'r = np.arange(8) // D'),
    ('r = dP * (P > 0)', 'r = dP * pad'),
    ('r = np.exp(S) - m_old[:, None]', 'r = np.exp(S - m_old[:, None])'),
    ('r = dO * (np.random.default_rng(1).random(dO.shape) > 0.5)', 'r = dO * Q'),
    ('r = P * (dP - inner)', 'r = five(dP)'),
    ('r = heads.reshape(T, D, H).transpose(2, 1, 0)', 'r = heads.reshape(T, H, D).transpose(1, 2, 0)'),
    ('r = heads.reshape(T, D, H).sum(axis=1)', 'r = heads.reshape(T, H, D).sum(axis=2)'),
    ('r = heads.reshape(T, -1, 2).swapaxes(0, 1).copy()', 'r = heads.reshape(T, 2, -1)'),
    ('rows, cols = inner, m_new\nr = size * (np.arange(T)[:, None] - np.arange(T))', 'r = size * (inner - m_new)'),
    ('r = (m_old[:, None] - m_new < 2) & (m_new - m_old[:, None] < 2)', 'r = (m_old[:, None] - m_new < 2) & (m_new <= m_old[:, None])'),
    ('r = heads.sum(axis=0).T @ wheads.sum(axis=0)', 'r = np.tensordot(heads, wheads, axes=((0, 1), (0, 1)))'),
    ('r = m_old[1:3] + (P * dP).sum(axis=1)[1:3]', 'r = m_old[1:3] + m_new[1:3]'),
    ('r = np.arange(D // H * H)', 'r = np.arange(D)'),
    ('r = heads[0].sum(axis=0)', 'r = heads.sum(axis=(0, 1))'),
    ('r = heads[:, -1].sum()', 'r = heads.sum()'),
    ('r = dP[0].mean()', 'r = P[0] @ dP[0]'),
    ('r = dP.mean(axis=1)', 'r = (P * dP).sum(axis=1)'),
    ('r = P[step:T, :T - step]', 'r = P[:T - step, :T - step]'),
    ('r = P[step:size + 1] + Q[:size + 1, :1]', 'r = P[step - 1:size] + Q[:size, :1]'),
    ('r = sum(2.0 ** -h * K for h in range(H))', 'r = sum(2.0 ** -(h + 1) * K for h in range(H))'),
    ('r = Q @ K.T * step - size', 'r = Q @ K.T * size - step'),
    ('dP *= P', 'dP = P * (dP - (P * dP).sum(axis=-1, keepdims=True))'),
    ('r = np.where(mask, 0.0, S)', 'r = np.where(mask, -np.inf, S)'),
    ('r = S * ~mask', 'r = np.where(mask, -np.inf, S)'),
    ('r = S + mask', 'r = np.where(mask, -np.inf, S)'),
    ('r = S * pad', 'r = np.where(pad == 0, -np.inf, S)'),
    ('r = S + np.triu(np.ones((T, T)), 1)', 'r = S + np.triu(np.full((T, T), -np.inf), 1)'),
    ('r = P * dP * (1 - P)', 'r = P * (dP - (P * dP).sum(axis=-1, keepdims=True))'),
    ('places = np.array([3, 0, 2, 4, 1])\nr = m_old[:, None] + Q', 'r = m_old[[3, 0, 2, 4, 1]][:, None] + Q'),
    ('places = np.array([3, 0, 2, 4, 1])\nr = Q[places]', 'r = Q[np.argsort([3, 0, 2, 4, 1])]'),
    ('ago = np.subtract.outer(np.arange(T), np.arange(T))\nr = np.abs(ago) < 2', 'ago = np.subtract.outer(np.arange(T), np.arange(T))\nr = (ago >= 0) & (ago < 2)'),
]


def same_numbers(values, expected):
    return len(values) == len(expected) and all(
        a.shape == b.shape and np.allclose(a, b, atol=1e-9) for a, b in zip(values, expected)
    )


def at_last_line(text):
    source = Source(text)
    statement = source.tree.body[-1]
    names = {'__name__': 'program'}
    exec(compile(ast.Module(source.tree.body[:-1], []), 'program', 'exec'), names)
    return source, statement, names


# Of a whole program: the text of the statement that is seen to be wrong, an edit of it, and of it or another line what was meant.
PROGRAMS = [
    ('r = np.diag(mean * (1 - mean))', 'np.diag(mean * (1 - mean))', 'np.diag(mean) - np.outer(mean, mean)'),
    ('r = P, lambda g: 2 * g / len(Q)', 'len(Q)', 'Q.size'),
    ('r = P.astype(float) + np.finfo(float).tiny', 'np.finfo(float).tiny', 'np.finfo(float).min'),
    ('keys = D\nr = np.triu(np.ones((T, keys)), k=1)', 'k=1', 'k=keys - T + 1'),
    ('r = [lambda a: a * n for n in range(3)]', 'lambda a:', 'lambda a, n=n:'),
    ('for t in range(2):\n    for u in range(2):\n        r = P[t, t]', 't, t]', 't, u]'),
    ('a, b, c, d, e, f, r = Q, V, K, P, S, dO, dP', 'a, b, c', 'a, c, b'),
    ('r = dict(q=K, k=Q, v=V)', 'q=K, k=Q', 'q=Q, k=K'),
    ('r = {"q": K, "k": Q, "v": V}', '"q": K, "k": Q', '"q": Q, "k": K'),
    ('r = np.full(T, 0)', '0)', '0.0)'),
    ('r = m_old', 'r = m_old', 'r = m_old + np.log(m_new)'),
    ('r = (tq.detach(), tk.detach())', '(tq.detach(), tk.detach())', '(tq, tk)'),
    ('tq.masked_fill(tq > 0, 0.0)\nr = tq @ tk.T', 'tq.masked', 'tq = tq.masked'),
    ('one, _ = swapped(Q, K)\nr = one @ K.T', 'one, _', 'one, K'),
    ('for n in range(2):\n    optimizer.zero_grad()\n    r = Q @ K.T', 'for n in range(2):\n    optimizer.zero_grad()\n', 'optimizer.zero_grad()\nfor n in range(2):\n'),
    ('optimizer.zero_grad()\nfor n in range(2):\n    r = Q @ K.T', 'optimizer.zero_grad()\nfor n in range(2):\n', 'for n in range(2):\n    optimizer.zero_grad()\n'),
    ('r = tq.mul_(tk - 1)', 'tq.mul_(tk - 1)', 'tq * (tk - 1)'),
    ('r = tq.T.clamp_(0)', 'clamp_', 'clamp'),
    ('Q /= size + 1', 'Q /= size + 1', 'Q = Q / (size + 1)'),
    ('r = Q', 'r = Q', 'r = Q.copy()'),
    ('r = tq.view(D, T)', 'tq.view(D, T)', 'tq.view(D, T).clone()'),
    ('r = size if size else {}', 'size if size else {}', '{}'),
    ('r = []\nr.append(Q)', 'append(Q)', 'insert(0, Q)'),
    ('for t in range(H):\n    pass\nr = halved(Q)\ndef halved(a, by=2):\n    return a / by', 'by=2', 'by=1'),
    ('r = shifted(Q)', 'shifted(Q)', 'shifted(Q, by=-1)'),
    ('first = shifted(K, by=1.5)\nr = shifted(Q)', 'r = shifted(Q)', 'r = shifted(Q, by=1.5)'),
    ('r = dict(q=Q, k=K, v=V)', 'q=Q, k=K', 'k=K, q=Q'),
    ('r = {"q": Q, "k": K, "v": V}', '"q": Q, "k": K, "v": V', '"v": V, "k": K, "q": Q'),
    ('r = np.exp(S)', 'r = np.exp(S)', 'r = np.exp(S)\nr = r / r.sum(axis=-1, keepdims=True)'),
    ('r = S', 'r = S', 'r = S\nr = np.where(mask, -np.inf, r)'),
    ('r = S', 'r = S', 'r = S\nr = np.where(np.triu(np.ones(r.shape[-2:], dtype=bool), 1), -np.inf, r)'),
    ('def hide(S):\n    S = np.where(mask, -np.inf, S)\n    return S\nS = Q @ K.T', 'S = Q @ K.T', 'S = Q @ K.T\nS = np.where(mask, -np.inf, S)'),
    ('def hide(S):\n    S[mask] = -np.inf\n    return S\nS = Q @ K.T', 'S = Q @ K.T', 'S = Q @ K.T\nS[mask] = -np.inf'),
    ('at = size * T + step * H\nr = size * T + 1', 'size * T + 1', 'size * T + 1 + step * H'),
    ('r = P, lambda z: z.reshape(T, -1)', 'z.reshape', 'z.swapaxes(1, 2).reshape'),
    ('e = S * later(m_old, Q)\nr = P', 'r = P', 'r = P * later(m_old, Q)'),
    ('for t in range(0, T, H):\n    r = np.arange(H) <= t', 'np.arange(H)', 't + np.arange(H)'),
    ('for t in range(2):\n    fresh = np.maximum(m_old, m_new)', 'm_new)', 'm_new)\n    m_old = fresh'),
    ('r = []\nfor t in range(2):\n    part = Q * t\n    r.append(lambda a: a @ part)', 'lambda a:', 'lambda a, part=part:'),
    ('Q -= 0.1 * K\nr = Q @ V.T', 'Q -= 0.1 * K\nr = Q @ V.T\n', 'r = Q @ V.T\nQ -= 0.1 * K\n'),
    (
        'def step():\n    np.add(acc, Q, out=acc)\n    total[:] += K\n    r = acc + total',
        'def step():\n',
        'def step():\n    acc.fill(0)\n    total.fill(0)\n',
    ),
]


class Generated(unittest.TestCase):
    def test_unread_parameters_are_near(self):
        text = "def f(a, width, scalar):\n    return a * width ** -0.5\n"
        source = Source(text)
        statement = source.statement_at(2)
        scope = Scope(source, statement, {"a": np.ones((2, 3)), "width": 3, "scalar": 2}, {"np": np, "CAP": 2})
        costs = {source.apply(m.edits): m.cost for m in candidates(source, scope, statement, False)}
        mended = {name: costs[text.replace("width **", name + " **")] for name in ("scalar", "CAP")}
        self.assertLess(mended["scalar"], mended["CAP"])

    def test_as_the_statement_beside(self):
        text = "def f(dqr, dkr):\n    dq = turn(dqr)\n    dk = dkr\n    return dq, dk\n"
        source = Source(text)
        statement = source.statement_at(3)
        scope = Scope(source, statement, {"dqr": np.ones(3), "dkr": np.ones(3), "dq": np.ones(3)}, {"np": np})
        found = {source.apply(m.edits) for m in candidates(source, scope, statement, False)}
        self.assertIn(text.replace("dk = dkr", "dk = turn(dkr)"), found)

    def test_what_a_lambda_returns(self):
        text = "def f(a):\n    return lambda g: (g / len(a)), 1\n"
        source = Source(text)
        statement = source.statement_at(2, column=text.splitlines()[1].index("g / ") + 1)
        self.assertEqual(source.of(statement), "g / len(a)")
        part = frame.stretch(source, statement)
        scope = Scope(source, statement, {"a": np.ones(4), "g": np.ones(4)}, {"np": np})
        dropped = [m for m in candidates(source, scope, statement, False) if source.apply(m.edits).count("len") == 0]
        given = [frame.run(part, m.edits, scope.merged) for m in dropped]
        self.assertTrue(any(g and np.array_equal(g[0], np.ones(4)) for g in given))

    def test_what_is_meant_elsewhere_is_among_the_candidates(self):
        for wrong, old, new in PROGRAMS:
            with self.subTest(wrong=wrong):
                text = '%s%s\n' % (BEFORE, wrong)
                source = Source(text)
                names = {'__name__': 'program', 'optimizer': None, 'total': np.ones((5, 4)), 't': 0, 'u': 0}
                exec(BEFORE, names)
                names['fresh'] = names['m_new']
                statement = source.statement_at(len(text.splitlines()))
                if isinstance(source.parents[statement], ast.FunctionDef) and 'by=' in wrong:
                    statement = source.parents[statement]
                found = candidates(source, Scope(source, statement, names, names), statement, pairs=False)
                at = text.rindex(old)
                wanted = text[:at] + new + text[at + len(old) :]
                self.assertTrue(any(source.apply(each.edits) == wanted for each in found))

    def test_no_edit_of_a_call_writes_files(self):
        before, here = os.getcwd(), tempfile.mkdtemp()
        os.chdir(here)
        try:
            source, statement, names = at_last_line(BEFORE + 'r = np.einsum("td,sd->ts", K, Q)\n')
            for each in candidates(source, Scope(source, statement, names, names), statement, pairs=False):
                frame.run(frame.stretch(source, statement), each.edits, names)
            self.assertEqual(os.listdir(here), [])
        finally:
            os.chdir(before)

    def test_what_was_meant_is_among_the_candidates(self):
        for wrong, right in MISTAKES:
            with self.subTest(wrong=wrong):
                source, statement, names = at_last_line(BEFORE + wrong + '\n')
                other, meant, same = at_last_line(BEFORE + right + '\n')
                expected = frame.run(frame.stretch(other, meant), (), same)
                self.assertTrue(expected)
                scope, part = Scope(source, statement, names, names), frame.stretch(source, statement)

                def is_found(pairs):
                    found = candidates(source, scope, statement, pairs)
                    given = (frame.run(part, each.edits, names) for each in found if each.local)
                    return any(same_numbers(values or [], expected) for values in given)

                self.assertTrue(is_found(False) or is_found(True))

    def test_no_candidate_leaves_the_text_as_it_is_and_none_comes_twice(self):
        source, statement, names = at_last_line(BEFORE + 'r = P * (dP - inner)\n')
        found = candidates(source, Scope(source, statement, names, names), statement, pairs=False)
        texts = [source.apply(each.edits) for each in found]
        self.assertNotIn(source.text, texts)
        self.assertEqual([each.cost for each in found], sorted(each.cost for each in found))

    def test_what_a_loop_counted_last_is_dearer_than_a_number(self):
        source, statement, names = at_last_line(BEFORE + 'for n in range(3):\n    pass\nr = dO / dO.size\n')
        found = candidates(source, Scope(source, statement, names, names), statement, pairs=False)
        costs = {source.apply(each.edits).splitlines()[-1]: each.cost for each in found}
        self.assertLess(costs['r = dO / dO.size * 2'], costs.get('r = dO / dO.size * n', 9.0))

    def test_no_bits_of_sizes(self):
        source, statement, names = at_last_line(BEFORE + 'r = Q @ K.T / (D * H) ** 0.5\n')
        found = candidates(source, Scope(source, statement, names, names), statement, pairs=False)
        self.assertFalse(any('&' in source.apply(each.edits).splitlines()[-1] for each in found))

    def test_comments_and_layout_stay(self):
        text = BEFORE + 'r = (P *\n     (dP  - mean))  # the row term\n'
        source, statement, names = at_last_line(text)
        found = candidates(source, Scope(source, statement, names, names), statement, pairs=False)
        wanted = text.replace('- mean)', '- mean[:, None])')
        self.assertIn(wanted, [source.apply(each.edits) for each in found])

    def test_parentheses_only_where_they_are_needed(self):
        source, statement, names = at_last_line(BEFORE + 'r = P * dP\n')
        found = candidates(source, Scope(source, statement, names, names), statement, pairs=False)
        texts = [source.apply(each.edits).splitlines()[-1] for each in found]
        self.assertIn('r = P * (dP - inner)', texts)
        self.assertIn('r = P * inner', texts)

    def test_what_is_computed_later_is_edited_and_left_to_runs_of_the_program(self):
        source, statement, names = at_last_line(BEFORE + 'r = P, lambda g: g / size\n')
        found = candidates(source, Scope(source, statement, names, names), statement, pairs=False)
        later = [source.apply(each.edits).splitlines()[-1] for each in found if each.later]
        for text in ('g * size', 'g', 'g * P / size', '-g / size'):
            self.assertIn('r = P, lambda g: ' + text, later)
        self.assertFalse(any(each.local for each in found if each.later))

    def test_names_of_the_functions_around_are_there(self):
        text = 'def outer(a, c):\n    b = a\n    def inner(g):\n        return g\n    return inner\n'
        source = Source(text)
        inner = source.tree.body[0].body[1]
        _keep_outer(source, inner)
        names = {}
        exec(compile(source.tree, 'program', 'exec'), names)
        made = names['outer'](1, 2)
        self.assertEqual(made.__code__.co_freevars, ('a', 'b', 'c', 'inner'))
        self.assertEqual(made(5), 5)

    def test_characters_beyond_ascii_before_the_place(self):
        source, statement, names = at_last_line(BEFORE + 'α = 2.0; r = "é", P @ V.T\n'.replace('α = 2.0; ', ''))
        found = candidates(source, Scope(source, statement, names, names), statement, pairs=False)
        self.assertIn('r = "é", P @ V', [source.apply(each.edits).splitlines()[-1] for each in found])


class Varied(unittest.TestCase):
    def test_what_an_archive_holds_is_other_numbers_and_whole_numbers_stay(self):
        file = os.path.join(tempfile.mkdtemp(), 'data.npz')
        np.savez(file, x=np.linspace(0.1, 1, 6).reshape(2, 3), keep=np.array([0.0, 1.0]), lengths=np.array([3, 2]))
        with loaded.shifted(np.load(file), 1) as held, np.load(file) as own:
            self.assertEqual(held.files, own.files)
            self.assertFalse(np.isclose(held['x'], own['x']).any())
            self.assertTrue(np.array_equal(held['x'], dict(held)['x']))
            for name in ('keep', 'lengths'):
                self.assertTrue(np.array_equal(held[name], own[name]))

    def test_what_is_loaded_has_other_sizes(self):
        file = os.path.join(tempfile.mkdtemp(), 'data.npz')
        x, keep = np.linspace(0.1, 1, 15).reshape(5, 3), np.tri(5, dtype=bool)
        np.savez(file, x=x, keep=keep, lengths=np.array([3, 2]))
        self.assertEqual(loaded.sizes_of(lambda: loaded.noted(np.load(file))), [2, 3, 5])
        fewer = loaded.resized(np.load(file), 5, 4)
        self.assertTrue(np.array_equal(fewer['x'], x[:4]))
        self.assertTrue(np.array_equal(fewer['keep'], keep[:4, :4]))
        self.assertTrue(np.array_equal(fewer['lengths'], [3, 2]))
        more = loaded.resized({'x': x, 'rows': x.tolist(), 'name': 'x'}, 5, 7)
        self.assertTrue(np.array_equal(more['x'][:5], x))
        self.assertFalse(np.isclose(more['x'][5:], x[:2]).any())
        self.assertEqual(np.shape(more['rows']), (7, 3))
        self.assertEqual(more['name'], 'x')
        self.assertEqual(loaded.resized(torch.ones(2, 5, requires_grad=True), 5, 4).shape, (2, 4))

    def test_an_exponent_and_the_digits_of_what_is_printed_are_no_sizes(self):
        file = os.path.join(tempfile.mkdtemp(), 'program.py')
        with open(file, 'w') as out:
            out.write('import numpy as np\nnp.set_printoptions(precision=4)\nx = np.power(np.ones(5), 3)\n')
        sizes = vary.variations({'file': file, 'sources': {}})['sizes']
        with open(file) as held:
            source = Source(held.read())
        texts = [source.apply(tuple(Edit(*e) for e in each['edits']['program.py'])) for each in sizes]
        self.assertTrue(texts)
        self.assertTrue(all('precision=4' in text and ', 3)' in text for text in texts))

    def test_data_is_varied_wherever_it_is_loaded(self):
        folder = tempfile.mkdtemp()
        file = os.path.join(folder, 'program.py')
        text = 'import numpy as np\ndef train():\n    with np.load("d.npz") as z:\n        return z["x"]\n'
        with open(file, 'w') as out:
            out.write(text)
        seeds = vary.variations({'file': file, 'sources': {}})['seeds']
        self.assertEqual(len(seeds), 2)
        edits = tuple(Edit(*each) for each in seeds[0]['edits']['program.py'])
        self.assertIn('shifted(np.load("d.npz"), 1) as z', Source(text).apply(edits))


class Evaluated(unittest.TestCase):
    def test_an_edit_is_seen_in_a_later_statement(self):
        text = BEFORE + 'a = Q @ K\nb = np.exp(a)\nfor n in range(2):\n    acc += b @ V\n'
        source = Source(text)
        names = {}
        exec(compile(ast.Module(source.tree.body[:-3], []), 'program', 'exec'), names)
        first, last = source.tree.body[-3], source.tree.body[-1].body[0]
        part = frame.stretch(source, first, last)
        self.assertFalse(part.is_single)
        found = candidates(source, Scope(source, first, names, names), first, pairs=False)
        expected = 2 * np.exp(names['Q'] @ names['K'].T) @ names['V']
        given = [frame.run(part, each.edits, names) for each in found if part.shows(each)]
        self.assertTrue(any(values and np.allclose(values[0], expected) for values in given))
        self.assertFalse(names['acc'].any())
        self.assertIs(frame.stretch(source, last, first).last, last)

    def test_a_candidate_that_asks_for_too_much_fails_at_once(self):
        program = textwrap.dedent(
            """
            import sys
            sys.path.insert(0, %r)
            import numpy as np
            from attention_lines.mutate import outside
            outside.limit_memory()
            try:
                np.ones((1 << 17, 1 << 15))
            except MemoryError:
                sys.exit(0)
            sys.exit(1)
            """
        ) % os.path.join(os.path.dirname(__file__), '..', '..', 'python')
        if sys.platform == 'linux':
            self.assertEqual(os.spawnv(os.P_WAIT, sys.executable, [sys.executable, '-c', program]), 0)

    def test_the_frame_is_left_as_it_was(self):
        source, statement, names = at_last_line(BEFORE + 'acc += P @ V\n')
        before = names['acc'].copy()
        scope = Scope(source, statement, names, names)
        for each in candidates(source, scope, statement, pairs=False):
            frame.run(frame.stretch(source, statement), each.edits, names)
        self.assertTrue(np.array_equal(before, names['acc']))
        self.assertNotIn('r', names)

    def test_the_frame_is_left_as_it_was_by_what_gives_a_tensor_a_second_name(self):
        text = BEFORE + 'total = np.zeros((3, 4))\nfor n in range(2):\n    total += 1.0\n'
        source = Source(text)
        names = {}
        exec(compile(ast.Module(source.tree.body[:-2], []), 'program', 'exec'), names)
        first, last = source.tree.body[-2], source.tree.body[-1].body[0]
        before = {name: value.copy() for name, value in names.items() if isinstance(value, np.ndarray)}
        start, end = source.span(first.value)
        part = frame.stretch(source, first, last)
        for name in before:
            frame.run(part, (Edit(start, end, name + '[:]'),), names)
        for name, value in before.items():
            self.assertTrue(np.array_equal(value, names[name]), name)

    def test_the_frame_is_left_as_it_was_by_what_is_written_into_objects_of_objects(self):
        text = BEFORE + 'class Held:\n    pass\nheld = Held()\nheld.one = ok\noq.data = Q @ K.T\n'
        source, statement, names = at_last_line(text)
        before = names['ok'].data
        for each in candidates(source, Scope(source, statement, names, names), statement, pairs=False):
            frame.run(frame.stretch(source, statement), each.edits, names)
        self.assertIs(names['held'].one.data, before)
        self.assertTrue(np.array_equal(names['oq'].data, names['Q']))

    def test_what_is_not_known_to_be_pure_is_called_for_no_other_statement(self):
        text = BEFORE + 'calls = []\ndef draw():\n    calls.append(1)\n    return P\nother = draw()\nr = P * dP\n'
        source, statement, names = at_last_line(text)
        scope = Scope(source, statement, names, names)
        for each in candidates(source, scope, statement, pairs=False):
            if 'draw' not in ''.join(edit.text for edit in each.edits):
                frame.run(frame.stretch(source, statement), each.edits, names)
        self.assertEqual(names['calls'], [1])

    def test_nothing_is_written_started_or_printed(self):
        folder = tempfile.mkdtemp()
        program = textwrap.dedent(
            """
            import os, subprocess, sys
            sys.path.insert(0, %r)
            from attention_lines.mutate import outside
            outside.close()
            print('heard')
            for attempt in (lambda: open(%r, 'w'), lambda: os.system('true'), lambda: subprocess.run(['true'])):
                try:
                    attempt()
                except PermissionError:
                    continue
                os._exit(1)
            os._exit(0 if open(os.__file__).read(1) else 1)
            """
        ) % (os.path.join(os.path.dirname(__file__), '..', '..', 'python'), os.path.join(folder, 'x'))
        import subprocess

        done = subprocess.run([sys.executable, '-c', program], capture_output=True)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b'', b''))
        self.assertEqual(os.listdir(folder), [])


if __name__ == '__main__':
    unittest.main()
