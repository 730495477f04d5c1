"""Reports words that a reader of pipectl's text would have to guess the meaning of, each with the term to use.

Checks what people see: pages and the comments of their examples, help texts, templates, pipeline files, what a crate's or
module's first comment says, and the string literals of errors, hints and notes. Other comments of the code are checked for
the worst of these words. It exits with 1 if it finds a word; `make lint` and `make check` call it.
"""

import ast
import re
import subprocess
import sys
from pathlib import Path

# The word, as a regular expression, and what to write instead.
WORDS = {
    r"told|tells?|telling": "reports, prints, returns, announces",
    r"wanted": "desired",
    r"mend(s|ed|ing)?": "fix",
    r"anew": "again, new",
    r"weigh(s|ed|ing)?|judg(e|es|ed|ing)": "evaluate, authorize",
    r"standing": "status, state",
    r"look(s|ed|ing)? (at|into|for|whether|again|out)|takes? a look": "inspect, check, search",
    r"restless|overtak(e|es|en|ing)": "conflict, changed concurrently",
    r"leftovers?|left over": "stale, orphaned",
    r"carr(y|ies|ied|ying) (it |them |that |this )?out": "apply, execute",
    r"places?": "location, path, account and region, range",
    r"wires?|wired": "HTTP client, protocol, connection",
    r"figures?": "number, count, table",
    r"rooms?|houses?": "module, package",
    r"near match(es)?": "closest match, suggestion",
    r"sheets?": "CSV dialect",
    r"tak(es|en|ing) place|took place|comes? round|came round": "runs, happens",
    r"go(es)? (on|away|round)|(is|are|has|have|was|were) gone|goes to quarantine": "continues, is deleted, is quarantined",
    r"shall": "must",
    r"of (its|his|her|their|one's) own": "own, separate",
    r"as good as": "treated as",
    r"not a word of": "nothing about",
    r"what must not be|that which|what (is|was) no": "name the thing",
    r"lies|lie (in|below|under|at)": "is",
    r"whoever|whatever": "name the subject",
    r"is at hand|at hand": "available",
    r"borne|heed(s|ed)?": "tolerated, used",
}

# True uses, each with its reason.
TRUE_USES = {
    r"in[- ]place": "the term of Terraform and CloudFormation for an update without replacement",
    r"placeholders?": "the term for a part of a text that is filled in",
    r"spreadsheets?|data sheet": "Excel's and the manufacturers' words",
    r"wire protocols?": "the term for the bytes of a protocol",
}
ALLOWED = re.compile("|".join(TRUE_USES), re.IGNORECASE)

# The words that no comment needs. The others have true uses there.
WORST = re.compile(
    r"\b(anew|mend(s|ed|ing)?|shall|judg(e|es|ed|ing)|whoever|of (its|his|her|their|one's) own|as good as|"
    r"not a word of|comes? round|borne|restless|overtak(e|es|en|ing)|carr(y|ies|ied|ying) (it |them |that )?out|"
    r"cannot be told|told apart|unless told)\b",
    re.IGNORECASE,
)

PATTERN = re.compile(r"\b(" + "|".join(f"(?P<w{i}>{word})" for i, word in enumerate(WORDS)) + r")\b", re.IGNORECASE)
REPLACEMENTS = list(WORDS.values())

# A comment, a raw string, a string or a character: whichever begins first, so that a quote within another is none.
RUST_TOKEN = re.compile(
    r"//[^\n]*|\bb?r(?P<hashes>#*)\"(?P<raw>.*?)\"(?P=hashes)|\"(?P<plain>(?:[^\"\\]|\\.)*)\"|'(?:\\[^\n]{1,9}?|[^'\\\n])'",
    re.DOTALL,
)
RUST_TESTS = re.compile(r"^#\[cfg\(test\)\]\nmod \w+ \{", re.MULTILINE)
# A doc comment of a command or of the pipeline file's model is a help text or an editor's tooltip.
RUST_DOC = re.compile(r"^\s*///? ?(.*)$")
# A statement is no sentence.
SQL = re.compile(r"\s*(SELECT|FROM|DELETE|INSERT|UPDATE|CREATE|WITH|MERGE)\b")
HASH = re.compile(r"(?:^|\s)# (.*)$")
SQL_COMMENT = re.compile(r"--.*$")
COMMENT = {".rs": re.compile(r"(?<![:\"])//[/!]? ?(.*)$"), ".py": HASH, ".sh": HASH, ".toml": HASH}


def main() -> int:
    """Prints every finding as `file:line: word: replacement` and returns the exit code."""
    listed = subprocess.run(["git", "ls-files"], check=True, capture_output=True, text=True).stdout.split()
    findings = [finding for name in listed for finding in check(Path(name))]
    if findings:
        print("\n".join(findings))
        print(f"lint-words: {len(findings)} words to replace", file=sys.stderr)
        return 1
    return 0


def check(path: Path) -> list[str]:
    """Returns the findings of one file; none for a file that no user reads."""
    name = str(path)
    unread = name in {"scripts/lint-words.py", "LICENSE"} or name.startswith("fuzz/corpus/")
    if unread or not path.is_file():
        return []
    if path.suffix == ".md":
        lines = prose(path.read_text())
    elif name.startswith("tests/snapshots/") or path.name.startswith("help"):
        lines = enumerate(path.read_text().splitlines(), 1)
    elif path.suffix == ".rs" and not is_test(name):
        lines = rust(name, path.read_text())
    elif path.suffix in {".hbs", ".yaml", ".yml"} or name == "Makefile":
        lines = enumerate(path.read_text().splitlines(), 1)
    elif path.suffix == ".sql":
        lines = (
            (number, comment.group())
            for number, line in enumerate(path.read_text().splitlines(), 1)
            if (comment := SQL_COMMENT.search(line))
        )
    elif path.suffix == ".sh":
        lines = shell(path.read_text())
    elif path.suffix == ".py" and not is_test(name):
        lines = python(path.read_text())
    else:
        lines = []
    findings = [
        f"{name}:{number}: `{match.group()}`: write {replacement(match)}"
        for number, line in lines
        for match in PATTERN.finditer(ALLOWED.sub("", line))
    ]
    return findings + comments(path)


def comments(path: Path) -> list[str]:
    """Returns the worst words in the comments of a source file."""
    comment = COMMENT.get(path.suffix)
    if comment is None:
        return []
    return [
        f"{path}:{number}: `{worst.group()}` in a comment"
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if (found := comment.search(line)) and (worst := WORST.search(found.group(1)))
    ]


def is_test(name: str) -> bool:
    """Returns whether the file belongs to tests or benchmarks."""
    return "tests" in re.split(r"[/.]", name) or name.startswith(("benches/", "lambda-src/test_server/"))


def prose(text: str):
    """Yields the lines of a page with their numbers; of its examples only the comments."""
    fenced = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif fenced:
            if comment := HASH.search(line):
                yield number, comment.group(1)
        else:
            yield number, re.sub(r"`[^`]*`|\]\([^)]*\)", "", line)


def rust(name: str, text: str):
    """Yields the string literals of a file, what it says of itself, and its doc comments where they are help texts."""
    text = RUST_TESTS.split(text)[0]
    for match in RUST_TOKEN.finditer(text):
        literal = match["plain"] or match["raw"] or ""
        # A name, a key or a pattern is not a sentence.
        if " " in literal and not SQL.match(literal):
            first = text.count("\n", 0, match.start()) + 1
            for offset, line in enumerate(literal.split("\n")):
                yield first + offset, re.sub(r"\{[^}]*\}|`[^`]*`", "", line)
    help_text = "/command/" in name or "/spec/" in name or name.endswith("cli.rs")
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("//! "):
            yield number, line[4:]
        elif help_text and (doc := RUST_DOC.match(line)):
            yield number, doc.group(1)


def shell(text: str):
    """Yields the lines of a script that print something."""
    for number, line in enumerate(text.splitlines(), 1):
        if re.search(r"\b(echo|printf)\b", line):
            yield number, re.sub(r"\$(\w+|\{[^}]*\})", "", line)


def python(text: str):
    """Yields the string literals of a Python file that are sentences, docstrings included."""
    for node in ast.walk(ast.parse(text)):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and " " in node.value
            and not SQL.match(node.value)
        ):
            for offset, line in enumerate(node.value.split("\n")):
                yield node.lineno + offset, re.sub(r"`[^`]*`", "", line)


def replacement(match: re.Match[str]) -> str:
    """Returns what to write instead of the word that matched."""
    return next(term for i, term in enumerate(REPLACEMENTS) if match.group(f"w{i}"))


if __name__ == "__main__":
    sys.exit(main())
