"""The command of the kit: `nox -s conformance -- NAME …`, which is `python -m conformance` in tests/."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

import suite_repo
from conformance import report
from conformance.checks import Level
from conformance.report import Result
from conformance.trial import Trial
from outer.errors import FINDINGS, INTERNAL, NOTHING_CHECKED, PASS, OuterError, UsageError
from outer.talk import Talk, put

REACH = {"quick": Level.SILVER, "full": Level.GOLD}
ASKED = {"draft": Level.BRONZE, "active": Level.GOLD, "deprecated": Level.BRONZE}
"""Status of the card -> the level that the suite asks for."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Try the blueprints that `arguments` name, all by default; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="nox -s conformance --",
        description="Make products from blueprints and judge them from outside.",
        epilog="exit codes: 0 each reached the level that its status asks for, 1 one did not, 2 usage, "
        "3 nothing checked, 4 internal error",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="blueprints (default: all)")
    parser.add_argument("--level", choices=tuple(REACH), default="full", help="quick: up to silver (default: full)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the result to FILE as JSON")
    parser.add_argument("--keep", action="store_true", help="leave the products where they were tried, and say where")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress, only the result")
    options = parser.parse_args(arguments)
    talk = Talk(quiet=options.quiet)
    try:
        return _main(options, talk)
    except OuterError as error:
        talk.close()
        print(f"conformance: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        talk.close()
        print("conformance: interrupted", file=sys.stderr)
        return 130
    except Exception as error:
        talk.close()
        traceback.print_exc()
        print(f"conformance: internal error: {type(error).__name__}: {error}", file=sys.stderr)
        return INTERNAL


def _main(options: argparse.Namespace, talk: Talk) -> int:
    known = blueprints(suite_repo.ROOT)
    if unknown := sorted(set(options.names) - set(known)):
        raise UsageError(f"there is no blueprint {', '.join(unknown)}", f"There are: {', '.join(known) or 'none'}.")
    if options.json and not options.json.parent.is_dir():
        raise UsageError(f"{options.json.parent} is no folder", "Name a file in a folder that exists.")
    names = list(dict.fromkeys(options.names)) or known
    if not names:
        print("conformance: there is no blueprint in blueprints/", file=sys.stderr)
        return NOTHING_CHECKED
    suite_repo.questions(suite_repo.ROOT)  # where those of one blueprint cannot be read, no product can be made
    folder = Path(tempfile.mkdtemp(prefix="conformance-"))
    alone(folder)
    try:
        suite = suite_repo.clone(folder / "suite")
        results = [judge(Trial(name, suite, folder / name), REACH[options.level], talk) for name in names]
    finally:
        if options.keep:
            print(f"kept: {folder}", file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    put(report.text(results, colour=colour))
    if options.json:
        options.json.write_text(report.as_json(results) + "\n", encoding="utf-8")
    if any(verdict.defect for result in results for verdict in result.verdicts):
        return INTERNAL
    return PASS if all(result.passed for result in results) else FINDINGS


def judge(trial: Trial, highest: Level, talk: Talk) -> Result:
    """Try one blueprint up to the level `highest`; what is asked of it goes by the status of its card."""
    start = time.monotonic()
    trial.folder.mkdir(parents=True, exist_ok=True)
    verdicts = trial.judge(highest, talk)
    asked = min(ASKED.get(str(trial.card.get("status")), Level.GOLD), highest)
    return Result(trial.name, asked, highest, tuple(verdicts), time.monotonic() - start)


def blueprints(suite: Path) -> list[str]:
    """Every blueprint of the suite, by its card."""
    return sorted(path.parent.name for path in suite.glob("blueprints/*/blueprint.yml"))


def alone(folder: Path) -> None:
    """Keep the settings that this person has for git and Copier out of the trial, which happens in `folder`."""
    for name in [name for name in os.environ if name.startswith(("GIT_", "COPIER_", "OUTER_"))]:
        del os.environ[name]
    os.environ["GIT_CONFIG_NOSYSTEM"] = "1"
    os.environ["GIT_CONFIG_GLOBAL"] = os.devnull
    settings = folder / "copier.yml"
    settings.write_text("{}\n", encoding="utf-8")
    os.environ["COPIER_SETTINGS_PATH"] = str(settings)
    os.environ["COPIER_CACHE_DIR"] = str(folder / "copier")


if __name__ == "__main__":
    sys.exit(main())
