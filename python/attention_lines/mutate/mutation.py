"""One way to change an expression or a statement, and what its operators share."""
import ast
from typing import Iterator, List, NamedTuple, Tuple

from .scope import Scope, Value
from .source import Edit, Source


class Mutation(NamedTuple):
    """A small edit. `cost` orders candidates: about 1 for one token, more for what brings in more."""

    edits: Tuple[Edit, ...]
    cost: float
    slip: str
    """What was wrong, as a key: 'operand', 'axis', 'factor', ..."""
    local: bool = True
    """Whether the statement alone, run again, shows what the edit does."""
    later: bool = False
    """Whether it is in the body of a lambda, which the statement only makes."""


class Site(NamedTuple):
    """An expression of the statement, with what is known of its value."""

    source: Source
    scope: Scope
    node: ast.expr
    known: Value

    lambdas: Tuple[ast.Lambda, ...] = ()
    """In whose bodies it stands, in the statement."""

    @property
    def text(self) -> str:
        return self.source.of(self.node)

    @property
    def parameters(self) -> List[str]:
        """Of those lambdas: names that have no value yet."""
        return [each.arg for one in self.lambdas for each in one.args.args]

    def put(self, text: str, cost: float, slip: str) -> Mutation:
        return Mutation((self.source.replaced(self.node, text),), cost, slip)


def sites(source: Source, scope: Scope, statement: ast.stmt) -> List[Site]:
    """Every expression of `statement` that is read: of a compound statement those of its head."""
    found = []
    for node, lambdas in _expressions(statement):
        parent = source.parents.get(node)
        if isinstance(node, (ast.JoinedStr, ast.FormattedValue)) or isinstance(parent, ast.JoinedStr):
            continue
        if isinstance(getattr(node, 'ctx', None), (ast.Store, ast.Del)):
            continue
        found.append(Site(source, scope, node, scope.known(node), lambdas))
    return found


def _expressions(statement: ast.stmt) -> Iterator[Tuple[ast.expr, Tuple[ast.Lambda, ...]]]:
    stack: List[Tuple[ast.AST, Tuple[ast.Lambda, ...]]] = [(statement, ())]
    while stack:
        node, lambdas = stack.pop()
        inner = lambdas + (node,) if isinstance(node, ast.Lambda) else lambdas
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.stmt, ast.excepthandler, ast.arguments)) or isinstance(node, ast.JoinedStr):
                continue
            if isinstance(child, ast.expr):
                yield child, inner
            stack.append((child, inner))


def broadcasts(part: Tuple[int, ...], into: Tuple[int, ...]) -> bool:
    """Whether `part` broadcasts to `into` without making it larger."""
    if len(part) > len(into):
        return False
    return all(a in (1, b) for a, b in zip(reversed(part), reversed(into)))
