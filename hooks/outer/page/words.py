"""Times, sizes and numbers in words. No locale in any of them: every machine writes the same page."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def moment(value: datetime) -> str:
    """22 Nov 2026, 08:15 UTC."""
    value = value.astimezone(UTC)
    return f"{value.day} {_MONTHS[value.month - 1]} {value.year}, {value:%H:%M} UTC"


def iso(value: datetime) -> str:
    """2026-11-22T08:15:30Z."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def span(value: timedelta) -> str:
    """A length of time in its two largest units: 2 days 4 h, 3 h 12 min, 48 s."""
    seconds = int(value.total_seconds())
    days, hours, minutes = seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60
    if days:
        return plural(days, "day") + (f" {hours} h" if hours and days < 10 else "")
    if hours:
        return f"{hours} h" + (f" {minutes} min" if minutes else "")
    if minutes:
        return f"{minutes} min"
    return f"{seconds} s" if seconds > 0 else "under 1 s"


def thousands(value: object) -> str:
    """12,208."""
    return f"{value:,}" if isinstance(value, int) else str(value)


def size(value: Any) -> str:
    """7.8 kB, from a number of bytes."""
    left = float(value or 0)
    for unit in ("B", "kB", "MB", "GB"):
        if left < 1000:
            return f"{left:.0f} {unit}" if unit == "B" or left >= 100 else f"{left:.1f} {unit}"
        left /= 1000
    return f"{left:.1f} TB"


def plural(count: int, noun: str) -> str:
    """1 rule, 2 rules."""
    return f"{thousands(count)} {noun}{'' if count == 1 else 's'}"


def brief(digest: str) -> str:
    """The two ends of a long digest."""
    return digest if len(digest) <= 20 else f"{digest[:8]}…{digest[-8:]}"


def spaced(name: str, join: str = " ") -> str:
    """supportHours as support hours."""
    return re.sub(r"(?<=[a-z])([A-Z])", lambda match: join + match[1].lower(), name)


def source(address: str) -> str:
    """Address of the suite without what is nobody's business: a password in it, or the folders of a machine."""
    if "://" in address:
        parts = urlsplit(address)
        return (parts.netloc.rpartition("@")[2] + parts.path).removesuffix(".git")
    return Path(address).name if address.startswith(("/", "~", ".")) else address


def link(address: str) -> str:
    """`address` if it may be clicked, else nothing: a file must not bring a script as its address."""
    return address if re.match(r"(https?://|mailto:)\S", address, re.IGNORECASE) else ""
