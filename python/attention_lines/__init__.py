"""Runs a Python program unchanged and records the tensors that its statements make.

Standard library only; it uses the NumPy, PyTorch or JAX that the program itself imports, and knows
nothing of attention. Run as `python3 attention_lines --record OUT FILE.py -- ARGS...`.
"""
