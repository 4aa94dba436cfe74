"""INN, continued: no secret lies in the product. What was found is never repeated, not even in part."""

from __future__ import annotations

import re
from collections.abc import Iterator

from outer.product import INNER
from outer.rule import Change, Said, Scope, Subject, rule
from outer.rules.files import MOST, TooMany, held, own_files
from outer.yamlfile import Place

# A sign that a plain search finds quickly, the form, and what it is. All forms run in linear time.
_FORMS: tuple[tuple[bytes, re.Pattern[bytes], str], ...] = tuple(
    (sign, re.compile(form), what)
    for sign, form, what in (
        (b"PRIVATE KEY", rb"-----BEGIN (?:[A-Z]{2,12} ){0,2}PRIVATE KEY(?: BLOCK)?-----", "a private key"),
        (b"AKIA", rb"\bAKIA[0-9A-Z]{16}\b", "a key of AWS"),
        (b"ASIA", rb"\bASIA[0-9A-Z]{16}\b", "a key of AWS"),
        *((b"gh%c_" % kind, rb"\bgh%c_[A-Za-z0-9]{36}" % kind, "a token of GitHub") for kind in b"pousr"),
        (b"github_pat_", rb"\bgithub_pat_[A-Za-z0-9_]{50}", "a token of GitHub"),
        (b"glpat-", rb"\bglpat-[A-Za-z0-9_-]{20}", "a token of GitLab"),
        (b"xox", rb"\bxox[abeoprs]-[A-Za-z0-9-]{10}", "a token of Slack"),
        (b"AIza", rb"\bAIza[0-9A-Za-z_-]{35}", "a key of Google"),
        (b"sk_live_", rb"\bsk_live_[0-9A-Za-z]{16}", "a key of Stripe"),
        (b"npm_", rb"\bnpm_[A-Za-z0-9]{36}\b", "a token of npm"),
        (b"pypi-", rb"\bpypi-AgE[A-Za-z0-9_-]{50}", "a token of PyPI"),
        (b"dapi", rb"\bdapi[0-9a-f]{32}\b", "a token of Databricks"),
        (b"eyJ", rb"\beyJ[A-Za-z0-9_-]{15,2000}\.eyJ[A-Za-z0-9_-]{15,4000}\.[A-Za-z0-9_-]{20}", "a signed token (JWT)"),
        (b"AccountKey=", rb"AccountKey=[A-Za-z0-9+/]{60,100}==", "a key of Azure"),
    )
)
_ADDRESS = re.compile(rb"://[^\s/:@'\"<>{}$%]{1,80}:([^\s/:@'\"<>{}$%]{3,120})@[\w.-]")
_NAMES = (
    b"password", b"passwd", b"pwd", b"secret", b"token", b"api_key", b"apikey", b"api-key", b"access_key", b"accesskey",
    b"private_key", b"credential", b"credentials",
)  # fmt: skip
_GIVEN = re.compile(
    rb"[\"']?[ \t]{0,4}[:=][ \t]{0,4}"
    rb"(?:\"([^\"\r\n]{1,200})\"|'([^'\r\n]{1,200})'|([^\s\"'#,;()\[\]{}<>|&`]{6,200}))"
)
"""What follows a name when it is given a value: between double quotes, single quotes, or none."""

_PLACEHOLDER = re.compile(
    rb"(?i)[\W_]*(?:x{3,}|change[ _-]?me|example|dummy|fake|test|secret|password|passwd|pass|pwd|token|none|null|true"
    rb"|false|redacted|placeholder|your[ _-]?\w*|my[ _-]?\w*|todo|foo|bar|guest|postgres|admin|root|user(?:name)?)"
    rb"[\W_]*"
)
_CODE = frozenset(
    {".py", ".scala", ".java", ".kt", ".r", ".js", ".ts", ".go", ".rs", ".sql", ".cs", ".rb", ".jinja", ".md"}
)
"""In code and prose, a value without quotes is a name and not a value."""


@rule(
    "INN005",
    Scope.PRODUCT,
    title="No file of the product holds a secret.",
    why="What is in git is on every machine and in every copy for ever; deleting the line does not take it back.",
    todo="Make the secret worthless where it was issued, then read it from the environment or the platform's vault.",
    bad=Change(INNER, "run: uv run", "run: DB_PASSWORD=s3cr3t-Horse uv run"),
)
def no_secret(subject: Subject) -> Iterator[Said]:
    root = subject.product.root
    try:
        for path in own_files(root):
            # A local .env is not in git, by .gitignore; lock files hold hashes that look like keys.
            if path.name == ".env" or path.suffix in (".lock", ".parquet"):
                continue
            data = held(path)
            if data is None or b"\0" in data[:8192]:
                continue
            for start, what in found(data, quoted=path.suffix.lower() in _CODE):
                place = Place(data.count(b"\n", 0, start) + 1)
                yield Said(f"here stands {what}", path=path.relative_to(root).as_posix(), at=place)
    except TooMany:
        message = f"the product holds more than {MOST} files and links, so that not all of them were searched"
        yield Said(message, path="inner")


def found(data: bytes, *, quoted: bool) -> Iterator[tuple[int, str]]:
    """Where a text holds something that looks like a secret, and what it is, once for each line.

    `quoted`: only values between quotes are values, as in code.
    """
    lines: set[int] = set()

    def first(start: int) -> bool:
        line = data.count(b"\n", 0, start)
        new = line not in lines
        lines.add(line)
        return new

    for sign, form, what in _FORMS:
        if sign in data:
            for match in form.finditer(data):
                if first(match.start()):
                    yield match.start(), what
    if b"://" in data and b"@" in data:
        for match in _ADDRESS.finditer(data):
            if not _PLACEHOLDER.fullmatch(match[1]) and first(match.start()):
                yield match.start(), "an address with a password"
    lower = data.lower()
    for name in _NAMES:
        start = lower.find(name)
        while start >= 0:
            given = _GIVEN.match(data, start + len(name))
            literal, bare = (given[1] or given[2], given[3]) if given else (None, None)
            if (literal or (bare and not quoted)) and _guarded(name, literal, bare) and first(start):
                yield start, f"a value for `{name.decode('ascii')}`"
            start = lower.find(name, start + len(name))


def _guarded(name: bytes, literal: bytes | None, bare: bytes | None) -> bool:
    """Whether the value of a thing of this name is the secret itself, and not where to find it."""
    value = literal or bare or b""
    if _PLACEHOLDER.fullmatch(value) or re.match(rb"[$%@<{*.\\/]|env[.:]|os\.|vault:|arn:|file:|https?:", value):
        return False
    kinds = sum(bool(re.search(kind, value)) for kind in (rb"[0-9]", rb"[a-z]", rb"[A-Z]", rb"[^0-9A-Za-z_]"))
    if b" " in value or b"${" in value or b"{{" in value:
        return False
    if name in (b"password", b"passwd", b"pwd") and literal:
        return len(value) >= 6
    return len(value) >= 8 and kinds >= 3 and re.search(rb"[0-9]", value) is not None
