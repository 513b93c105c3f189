"""What no file of the tree may contain: a path of the machine it was written on, a package registry's address in a lock file,
white space at the end of a line."""

import json
import re

HOME = re.compile(r"(?<![\w./}$-])/(?:root|work|home/(?!u/|user/|freshet/)\w+|Users/\w+)/[\w.]")
TRAILING = re.compile(r"[ \t]+$")


def lock_problems(file: str, text: str) -> list[str]:
    packages = json.loads(text).get("packages", {})
    return [
        f"{file}: {name} names where it was fetched from ({entry['resolved']})"
        for name, entry in packages.items()
        if "resolved" in entry
    ]


def problems(file: str, text: str) -> list[str]:
    if file.endswith("package-lock.json"):
        return lock_problems(file, text)
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if HOME.search(line):
            found.append(f"{file}:{number}: a path of one machine: {line.strip()}")
        if TRAILING.search(line) and not file.endswith(".md"):
            found.append(f"{file}:{number}: white space at the end")
    return found
