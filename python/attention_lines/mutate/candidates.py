"""All candidates for one statement, cheapest first, no text twice."""
import ast
import itertools
from typing import Iterator, List, Set, Tuple

from . import calls, expressions, habits, joint, shared, statements, steps
from .mutation import Mutation, sites
from .scope import Scope
from .source import Source

EXPRESSIONS = expressions.OPERATORS + calls.OPERATORS + habits.EXPRESSIONS + joint.EXPRESSIONS + shared.EXPRESSIONS + steps.EXPRESSIONS
STATEMENTS = statements.OPERATORS + habits.STATEMENTS + joint.STATEMENTS + shared.STATEMENTS + steps.STATEMENTS

FIRST_OF_PAIR, SECOND_OF_PAIR = 60, 400
"""Of pairs, one edit is among the 60 cheapest and the other among the 400 cheapest."""


def candidates(source: Source, scope: Scope, statement: ast.stmt, pairs: bool = True) -> List[Mutation]:
    """Every edit of `statement`, and pairs of the cheapest ones, in the order of their cost."""
    found: List[Mutation] = []
    seen: Set[Tuple] = set()
    every = sorted(_all(source, scope, statement), key=_dearness)
    for mutation in every:
        key = tuple(sorted(mutation.edits))
        if key not in seen and any(source.text[e.start : e.end] != e.text for e in key):
            seen.add(key)
            found.append(mutation)
    if pairs:
        found += _pairs(found)
        found.sort(key=lambda each: each.cost)
    return found


def _dearness(each: Mutation) -> Tuple[float, int]:
    return each.cost, sum(len(edit.text) + edit.end - edit.start for edit in each.edits)


def _all(source: Source, scope: Scope, statement: ast.stmt) -> Iterator[Mutation]:
    if isinstance(statement, ast.FunctionDef):
        # Its statements are places of their own.
        yield from shared.defaults(source, scope, statement)
        return
    for site in sites(source, scope, statement):
        for operator in EXPRESSIONS:
            for mutation in operator(site):
                yield mutation._replace(local=False, later=True) if site.lambdas else mutation
    if source.lambda_of(statement) is not None:
        return
    for operator in STATEMENTS:
        yield from operator(source, scope, statement)


def _pairs(singles: List[Mutation]) -> List[Mutation]:
    paired = []
    cheap = [each for each in singles if each.local and len(each.edits) == 1][:SECOND_OF_PAIR]
    for one, other in itertools.combinations(cheap, 2):
        if one.cost > cheap[min(FIRST_OF_PAIR, len(cheap) - 1)].cost:
            break
        a, b = one.edits[0], other.edits[0]
        if (a.end <= b.start or b.end <= a.start) and a.start != b.start:
            paired.append(Mutation((a, b), one.cost + other.cost + 0.5, one.slip + ', ' + other.slip))
    return paired
