"""A notebook as a program: its code cells in order, in one fresh process."""

from __future__ import annotations

import ast
import inspect
import json
import linecache
import re

_MAGIC = re.compile(r"^(\s*)(?:[%!?]|[\w.\[\]'\"]+\s*=\s*[%!]|[\w.]+\?{1,2}\s*$)")
_TIMED = ("%%time", "%%timeit", "%%capture", "%%prun")


class Cell:
    def __init__(self, number, text, first_line):
        self.number, self.text, self.first_line = number, text, first_line
        self.magics = []  # lines that are not Python
        self.python = self._without_magics()

    def _without_magics(self):
        lines = self.text.split("\n")
        head = next((each.strip() for each in lines if each.strip()), "")
        if head.startswith("%%") and not head.startswith(_TIMED):
            self.magics.append((1, head))
            return "\n" * (len(lines) - 1)
        inside = _inside_strings(self.text)
        for at, line in enumerate(lines):
            found = None if at + 1 in inside else _MAGIC.match(line)
            if found and not _is_python(line):
                self.magics.append((at + 1, line.strip()))
                lines[at] = found[1] + "pass"
        return "\n".join(lines)


def _is_python(line):
    try:
        ast.parse(line.strip())
        return True
    except (SyntaxError, ValueError):
        return False


def _inside_strings(text):
    """Lines that continue a string of several lines, as far as a text with magics tells."""
    inside, quote = set(), None
    for number, line in enumerate(text.split("\n"), 1):
        if quote:
            inside.add(number)
        for found in re.finditer(r"'''|\"\"\"", line.partition("#")[0] if not quote else line):
            quote = found[0] if quote is None else None if quote == found[0] else quote
    return inside


def cells_of(data):
    """The code cells of a .ipynb file's bytes. Raises ValueError."""
    document = json.loads(data.decode("utf-8-sig"))
    sheets = document.get("worksheets") or [document]
    every = [cell for sheet in sheets for cell in sheet.get("cells", [])]
    found, line = [], 1
    for number, cell in enumerate(every):
        if cell.get("cell_type") != "code":
            continue
        text = cell.get("source", cell.get("input", ""))
        text = text if isinstance(text, str) else "".join(text)
        found.append(Cell(number, text, line))
        line += text.count("\n") + 1
    return found


def run(run, data, names):
    """Runs the cells in the namespace `names`."""
    files, recorder = run.files, run.recorder
    prepare(names)
    cells = cells_of(data)
    run.cells = [{"cell": each.number, "source": each.text, "firstLine": each.first_line} for each in cells]
    for cell in cells:
        source = files.add(run.path, cell.python + "\n", cell.number)
        for line, text in cell.magics:
            recorder.note("magic", source, line, f"left out: {text}")
        name = f"{run.path}#cell{cell.number}"
        run.cell_names[name] = cell.number
        linecache.cache[name] = (len(cell.text), None, [each + "\n" for each in cell.text.split("\n")], name)
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        tree = compile(cell.python, name, "exec", ast.PyCF_ONLY_AST | flags, dont_inherit=True)
        code = files.recorded(tree, name, source, flags)
        made = eval(code, names)
        if code.co_flags & inspect.CO_COROUTINE:
            import asyncio

            asyncio.get_event_loop_policy().new_event_loop().run_until_complete(made)
    files.sources[0] = "\n".join(each.text for each in cells)


def prepare(names):
    """Gives a namespace what a notebook's has, and takes what it has not."""
    names.update(display=_nothing, get_ipython=lambda: _Shell())
    names.pop("__file__", None)


def _nothing(*_shown, **_options):
    """In the place of what only a notebook shows."""


class _Shell:
    def __getattr__(self, name):
        return _nothing
