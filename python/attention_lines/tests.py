"""Runs a file through pytest, whose own rewriting of asserts stays as it is."""

from __future__ import annotations

import ast
import importlib.util
import sys

from .rewrite import Rewriter, insert


def run(run):
    """The exit code of pytest for the file."""
    import pytest
    from _pytest.assertion import rewrite

    files, recorder = run.files, run.recorder
    plain_asserts, plain_test = rewrite.rewrite_asserts, rewrite._rewrite_test

    def rewrite_asserts(tree, source, module_path=None, config=None):
        if isinstance(tree, ast.Module) and module_path and files.is_own(module_path):
            try:
                text = importlib.util.decode_source(source)
                place = files.add(module_path, text)
                Rewriter(tree, place, recorder.places, recorder, files.own_names(module_path), files.expressions).module()
            except Exception as error:
                recorder.failed(error)
        plain_asserts(tree, source, module_path, config)

    def _rewrite_test(path, config):
        state, code = plain_test(path, config)
        return state, insert(code, recorder)

    rewrite.rewrite_asserts, rewrite._rewrite_test = rewrite_asserts, _rewrite_test
    rewrite._read_pyc, rewrite._write_pyc = (lambda *_given, **_options: None), (lambda *_given, **_options: False)
    files.modules.add(importlib.util.spec_from_file_location("_", run.path).name)
    sys.argv[:] = ["pytest", run.options.file, *run.options.args]
    return pytest.main(sys.argv[1:])
