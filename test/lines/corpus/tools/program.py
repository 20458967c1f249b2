"""Runs a program of the corpus in this process and gives the names it left behind."""
import contextlib
import io
import json
import os
import sys
import types


def source(path):
    """The Python text of a script or of a notebook's code cells, its magics left out."""
    with open(path) as file:
        text = file.read()
    if not path.endswith(".ipynb"):
        return text
    cells = [c["source"] for c in json.loads(text)["cells"] if c["cell_type"] == "code"]
    lines = "\n".join("".join(c) if isinstance(c, list) else c for c in cells).split("\n")
    return "\n".join(line for line in lines if not line.startswith(("%", "!")))


def run(path, args):
    """(printed text, globals, {function name: its locals when it last returned})."""
    folder, name = os.path.split(os.path.abspath(path))
    last = {}

    def profile(frame, event, _):
        if event == "return" and frame.f_code.co_filename.startswith(folder):
            last[frame.f_code.co_name] = dict(frame.f_locals)

    main = types.ModuleType("__main__")
    main.__file__ = os.path.join(folder, name)
    saved = sys.modules["__main__"], sys.argv, list(sys.path), os.getcwd(), set(sys.modules), sys.dont_write_bytecode
    printed = io.StringIO()
    sys.modules["__main__"], sys.argv = main, [name, *args]
    sys.path.insert(0, folder)
    sys.dont_write_bytecode = True
    os.chdir(folder)
    torch = sys.modules.get("torch")
    dtype = torch.get_default_dtype() if torch else None
    try:
        code = compile(source(path), os.path.join(folder, name), "exec")
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
            sys.setprofile(profile)
            try:
                exec(code, main.__dict__)
            except (SystemExit, AssertionError):  # a test that fails
                pass
            finally:
                sys.setprofile(None)
    finally:
        sys.modules["__main__"], sys.argv, sys.path[:], sys.dont_write_bytecode = saved[0], saved[1], saved[2], saved[5]
        os.chdir(saved[3])
        for module in set(sys.modules) - saved[4]:
            if str(getattr(sys.modules[module], "__file__", "") or "").startswith(folder):
                del sys.modules[module]
        if torch:
            torch.set_default_dtype(dtype)
    return printed.getvalue(), main.__dict__, last
