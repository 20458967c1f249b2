#!/usr/bin/env python3
"""materialise.py OUT [dev|heldout]: every program, right and wrong, as a folder of its own, and OUT/cases.json."""
import json
import os
import shutil
import sys

CORPUS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def path_of(name):
    """The script or notebook of a base program."""
    folder = os.path.join(CORPUS, "programs", name)
    return next(p for p in (os.path.join(folder, name + end) for end in (".py", ".ipynb")) if os.path.exists(p))


def replace(lines, edit):
    """`lines` with the lines from edit.line on that read edit.before replaced by edit.after (none where it is empty)."""
    at, before = edit["line"] - 1, edit["before"].split("\n")
    if lines[at:at + len(before)] != before:
        raise ValueError(f"line {edit['line']} does not read {edit['before']!r}")
    lines[at:at + len(before)] = edit["after"].split("\n") if edit["after"] else []


def variant(mistake, folder):
    """Writes the program with its edits into `folder`; the path of its main file."""
    base = path_of(mistake["program"])
    shutil.copytree(os.path.dirname(base), folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    for edit in sorted(mistake["edits"], key=lambda e: -e["line"]):
        path = os.path.join(folder, edit.get("file", os.path.basename(base)))
        with open(path) as file:
            text = file.read()
        if "cell" in edit:
            notebook = json.loads(text)
            cell = notebook["cells"][edit["cell"]]
            lines = "".join(cell["source"]).split("\n")
            replace(lines, edit)
            cell["source"] = "\n".join(lines).splitlines(keepends=True)
            text = json.dumps(notebook, indent=1) + "\n"
        else:
            lines = text.split("\n")
            replace(lines, edit)
            text = "\n".join(lines)
        with open(path, "w") as file:
            file.write(text)
    return os.path.join(folder, os.path.basename(base))


def main():
    out, half = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None
    with open(os.path.join(CORPUS, "mistakes.json")) as file:
        corpus = json.load(file)
    cases = []
    bases = ({**p, "program": p["name"], "edits": []} for p in corpus["programs"])
    for entry in [*corpus["mistakes"], *bases, *corpus["conventions"]]:
        if half and entry["half"] != half:
            continue
        folder = os.path.join(out, entry["name"])
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        main_file = os.path.basename(variant(entry, folder))
        case = {"name": entry["name"], "file": main_file, "setup": f"{entry['program']}.attention.json", "args": entry["args"],
                "truth": entry.get("truth", "match")}
        if "mistakes" in entry:
            case.update(setupNeeded=entry["setupNeeded"], mistakes=entry["mistakes"])
        cases.append({**case, "program": entry["program"], "half": entry["half"]})
    with open(os.path.join(out, "cases.json"), "w") as file:
        json.dump(cases, file, indent=1)
        file.write("\n")
    print(f"{len(cases)} cases in {out}")


if __name__ == "__main__":
    main()
