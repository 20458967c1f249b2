import os
import sys

_FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(_FOLDER))
from attention_lines import main  # noqa: E402

del sys.path[0]
main.main(sys.argv[1:])
