"""A managed file under another name, a new CI step, a new question; a draft of a policy gets its time of grace."""

from __future__ import annotations

from pathlib import Path

from releases import Changes, replaced

MOVED = ("renovate.json", ".renovaterc.json")
ENFORCED_FROM = "2041-01-01"
NEWS = """\
### Changed

- CI lists the policies in force after the gate.
- `renovate.json` is called `.renovaterc.json`.
- Limitations are full sentences (ORG002): a warning until 2041-01-01.

### Added

- The question `on_call`: who is called at night. Nobody, where it was not asked."""


def changes(suite: Path) -> Changes:
    """What this release does."""
    github = "template/{% if ci_host == 'github' %}.github{% endif %}/workflows/data-product.yml"
    step = "\n      - name: List the policies\n        run: python3 noxfile.py -s outer -- policy list\n"
    draw = "\n      - name: Draw the page\n"
    page = "    - python3 noxfile.py -s page\n"
    return {
        f"template/{MOVED[1]}": (suite / "template" / MOVED[0]).read_bytes(),
        f"template/{MOVED[0]}": None,
        **replaced(suite, github, draw, step + draw),
        **replaced(
            suite,
            "template/{% if ci_host == 'gitlab' %}.gitlab-ci.yml{% endif %}",
            page,
            "    - python3 noxfile.py -s outer -- policy list\n" + page,
        ),
        **replaced(
            suite, "hooks/outer/organisation/limitations.yaml", "draft: true\n", f'enforced_from: "{ENFORCED_FROM}"\n'
        ),
        **replaced(
            suite,
            "copier.yml",
            "\nci_host:\n",
            "\non_call:\n  type: str\n  help: Who is called at night?\n  default: nobody\n\nci_host:\n",
        ),
        **replaced(
            suite, "template/SECURITY.md.jinja", "{{ owner_email }}.\n", "{{ owner_email }}; call {{ on_call }}.\n"
        ),
    }
