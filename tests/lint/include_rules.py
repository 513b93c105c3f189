"""The includes that the tree allows (include_table.txt), and the check of one file against them."""

import dataclasses
import pathlib
import re

INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')
TOPS = ("storage", "revalidate", "proxy", "tests")


@dataclasses.dataclass
class Table:
    ours: dict[str, set[str]]
    theirs: dict[str, set[str]]


def read_table(text: str) -> Table:
    sections: dict[str, dict[str, set[str]]] = {"ours": {}, "theirs": {}}
    section = "ours"
    for line in text.splitlines():
        line = line.split("#")[0].strip()
        if line.startswith("["):
            section = line.strip("[]")
        elif line:
            name, allowed = line.split(":")
            sections[section][name.strip()] = set(allowed.split())
    return Table(sections["ours"], sections["theirs"])


def holding_row(rows: dict[str, set[str]], file: str) -> tuple[str, set[str]] | None:
    """The row for the file itself (with its ending or without), else the row for its folder."""
    path = pathlib.PurePosixPath(file)
    for name in (file, str(path.with_suffix("")), str(path.parent)):
        if name in rows:
            return name, rows[name]
    return None


def within(path: str, places: set[str]) -> bool:
    return any(path == place or path.startswith(place + "/") for place in places)


def check_ours(table: Table, file: str, header: str, found: bool) -> str | None:
    if not header.startswith(tuple(top + "/" for top in TOPS)):
        return f'"{header}" does not begin at the root of the tree'
    if not found:
        return f'"{header}" does not exist'
    if file.startswith("tests/"):
        return None
    own, target = (str(pathlib.PurePosixPath(path).parent) for path in (file, header))
    row = holding_row(table.ours, file)
    if row is None:
        return f"{own} has no row in include_table.txt"
    if target == own or target in row[1]:
        return None
    return f'{row[0]} may not include "{header}"'


def check_theirs(table: Table, file: str, header: str) -> str | None:
    if re.fullmatch(r"[a-z0-9_]+", header):
        return None  # the standard library
    for name, places in table.theirs.items():
        if header == name or (name.endswith("/") and header.startswith(name)):
            return None if within(file, places) else f"<{header}> is for {', '.join(sorted(places))} only"
    return f"<{header}> has no row in include_table.txt"


def exists(root: pathlib.Path, header: str) -> bool:
    """In the tree, or made by its folder's meson.build."""
    path = root / header
    recipe = path.parent / "meson.build"
    return path.is_file() or (recipe.is_file() and f"output: '{path.name}'" in recipe.read_text())


def problems(table: Table, root: pathlib.Path, file: str, text: str) -> list[str]:
    """`FILE:LINE: what is wrong`, one for each include that the table does not allow."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        ours, theirs = match.groups()
        if ours is not None:
            problem = check_ours(table, file, ours, exists(root, ours))
        else:
            problem = check_theirs(table, file, theirs)
        if problem:
            found.append(f"{file}:{number}: {problem}")
    return found
