"""The table "section, function, test" of revalidate/README.md, from the names and the bodies of policy's unit tests.

A test's name begins with what it holds to: S4211 is RFC 9111, 4.2.1.1, unless its number begins with a chapter that only RFC 9110 has
(S1312: 9110, 13.1.2); Rfc9213, Rfc9110S762 name another document; G12 is one of our guarantees; Edge the W3C's note on surrogates; Nvs the draft
of No-Vary-Search. The functions are those of revalidate/policy/*.h that the test's body calls, directly or through the helpers of its file.
"""

import re

BEGIN = "<!-- made by tests/lint/sections --fix -->"
END = "<!-- end of what is made -->"
OWN = "our own"
DEFINITION = r"^(?:TEST(?:_F|_P)?\((\w+),\s*(\w+)\)|\S[^\n;#]*?\b(\w+)\([^;]*?\)(?: const)?) \{\n(.*?)^\}"
DULL = {"empty", "reason_token", "facts_of"}  # ways to look at a result

TITLES = {
    "9111 1.2.2": "delta-seconds",
    "9111 2": "cache keys",
    "9111 3": "storing",
    "9111 3.1": "fields that are not stored",
    "9111 3.2": "updating",
    "9111 3.3": "incomplete responses",
    "9111 3.4": "combining parts",
    "9111 3.5": "Authorization",
    "9111 4": "reuse",
    "9111 4.1": "Vary",
    "9111 4.2": "freshness",
    "9111 4.2.1": "lifetime",
    "9111 4.2.2": "heuristic",
    "9111 4.2.3": "age",
    "9111 4.2.4": "stale responses",
    "9111 4.3.1": "asking",
    "9111 4.3.2": "conditions received",
    "9111 4.3.3": "errors while validating",
    "9111 4.3.4": "304",
    "9111 4.3.5": "HEAD",
    "9111 4.4": "invalidation",
    "9111 5.1": "Age",
    "9111 5.2": "Cache-Control",
    "9111 5.2.1": "request directives",
    "9111 5.2.2.2": "must-revalidate",
    "9111 5.2.2.3": "must-understand",
    "9111 5.2.2.4": "no-cache",
    "9111 5.2.2.5": "no-store",
    "9111 5.2.2.7": "private",
    "9111 5.3": "Expires",
    "9111 5.4": "Pragma",
    "9111 7.3": "Set-Cookie",
    "9110 6.5": "trailers",
    "9110 7.6": "forwarding",
    "9110 8.8.3": "entity tags",
    "9110 9.3.3": "POST",
    "9110 13.1.2": "If-None-Match",
    "9110 13.1.5": "If-Range",
    "9110 14.2": "Range",
    "9110 15.3.7": "206",
    "9110 15.4.5": "304",
    "3986 5.4": "references",
    "5861": "stale-while-revalidate, stale-if-error",
    "7239 4": "Forwarded",
    "9209 2": "Proxy-Status",
    "9211 2": "Cache-Status",
    "9213": "targeted fields",
    "9875 2": "Cache-Groups",
    "9875 3": "Cache-Group-Invalidation",
    "Edge architecture note": "Surrogate-Control",
    "No-Vary-Search draft": "query",
}


def dotted(digits: str) -> str:
    """1312 is 13.1.2: no chapter of RFC 9111 has two digits, of RFC 9110 the twelfth and later have."""
    first = 2 if digits[:2] in {"12", "13", "14", "15"} and len(digits) > 2 else 1
    return ".".join([digits[:first], *digits[first:]])


def section(name: str) -> str:
    """What a test named so holds to, as the table says it."""
    if match := re.match(r"Rfc9111S(\d+)", name):
        return "9111 " + ".".join(match[1])
    if match := re.match(r"Rfc(\d{4})(?:S(\d+))?", name):
        return match[1] + (f" {dotted(match[2])}" if match[2] else "")
    if match := re.match(r"S(\d+)", name):
        number = dotted(match[1])
        return ("9110 " if re.match(r"\d\d\.", number) else "9111 ") + number
    if match := re.match(r"G\d+", name):
        return match[0]
    if name.startswith("Edge"):
        return "Edge architecture note"
    return "No-Vary-Search draft" if name.startswith("Nvs") else OWN


def order(name: str) -> tuple:
    document, _, number = name.partition(" ")
    rank = ["9111", "9110"].index(document) if document in ("9111", "9110") else 2
    if not document.isdigit():
        rank = 4 if name == OWN else 3
    parts = [int(part) for part in number.split(".")] if document.isdigit() and number else []
    return (rank, int(document) if rank == 2 else 0, parts, name)


def declared(header: str) -> set[str]:
    """The functions that a header declares."""
    code = re.sub(r"//.*", "", header)
    return set(re.findall(r"[\w>&*\]]\s+[&*]?([a-z][a-z0-9_]{3,})\(", code)) - DULL


def definitions(source: str) -> tuple[dict[str, str], list[tuple[str, str, str]]]:
    """Of a file of tests: the helpers' bodies by name, and suite, name and body of each test."""
    helpers: dict[str, str] = {}
    tests = []
    for match in re.finditer(DEFINITION, source, re.M | re.S):
        suite, name, helper, body = match.groups()
        if suite:
            tests.append((suite, name, body))
        else:
            helpers[helper] = helpers.get(helper, "") + body
    return helpers, tests


def calls(body: str, helpers: dict[str, str], functions: set[str]) -> set[str]:
    found: set[str] = set()
    seen: set[str] = set()
    waiting = [body]
    while waiting:
        for name in set(re.findall(r"\b([a-z]\w*)\(", waiting.pop())) - seen:
            seen.add(name)
            if name in helpers:
                waiting.append(helpers[name])
            elif name in functions:
                found.add(name)
    return found


def table(headers: list[str], sources: list[str]) -> str:
    functions = set().union(*map(declared, headers))
    rows: dict[str, tuple[set[str], dict[str, int]]] = {}
    for source in sources:
        helpers, tests = definitions(source)
        for suite, name, body in tests:
            called, patterns = rows.setdefault(section(name), (set(), {}))
            called |= calls(body, helpers, functions)
            mark = re.match(r"(?:(?:Rfc\d{4})?S\d+|Rfc\d{4}|G\d+|Edge|Nvs)?", name)[0]
            pattern = f"{suite}.{mark}*" if mark else f"{suite}.{name}"
            patterns[pattern] = patterns.get(pattern, 0) + 1
    lines = ["| section | functions | tests |", "|---|---|---|"]
    for key in sorted(rows, key=order):
        called, patterns = rows[key]
        document, _, number = key.partition(" ")
        name = f"{document} §{number}" if document.isdigit() and number else key
        title = f", {TITLES[key]}" if key in TITLES else ""
        names = ", ".join(f"`{each}`" for each in sorted(called))
        tests = ", ".join(f"`{each}`" + (f" ({count})" if count > 1 else "") for each, count in sorted(patterns.items()))
        lines.append(f"| {name}{title} | {names} | {tests} |")
    return "\n".join(lines)


def with_table(readme: str, made: str) -> str:
    """The README with the table in its place; an error where it has no such place."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"it needs the lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{made}\n{END}{after}"
