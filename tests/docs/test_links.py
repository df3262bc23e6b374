"""Links and pictures of the documentation lead somewhere."""

from pathlib import Path

from tests.docs.pages import DOCS, ROOT, anchors_of, links_of, name_of, pages, slug


def _broken(page: Path, text: str) -> list[str]:
    problems = []
    for line, target in links_of(text):
        if "://" in target or target.startswith("mailto:"):
            continue
        path, _, anchor = target.partition("#")
        aim = page if not path else (page.parent / path).resolve()
        if not aim.exists():
            problems.append(f"{name_of(page)}:{line}: {target}: there is no such file")
        elif anchor and aim.suffix == ".md" and anchor not in anchors_of(aim.read_text(encoding="utf-8")):
            problems.append(f"{name_of(page)}:{line}: {target}: no such heading in {name_of(aim)}")
        elif page.is_relative_to(DOCS) and aim.suffix == ".md" and not aim.is_relative_to(DOCS) and aim.parent != ROOT:
            problems.append(f"{name_of(page)}:{line}: {target}: leads out of docs/")
    return problems


def test_every_link_leads_to_a_file_and_a_heading_that_is_there() -> None:
    """Within the repository; addresses of the world outside are not asked."""
    problems = [line for page in pages() for line in _broken(page, page.read_text(encoding="utf-8"))]
    assert not problems, "\n" + "\n".join(problems)


def test_a_link_to_nothing_is_found() -> None:
    """A missing file, a missing heading; not what stands in code."""
    page = DOCS / "strategies.md"
    text = "[a](nothing.md) [b](risk.md#nothing) [c](strategies.md) `[d](nowhere.md)`\n```text\n[e](nowhere.md)\n```\n"
    assert [problem.split(": ")[1] for problem in _broken(page, text)] == ["nothing.md", "risk.md#nothing"]


def test_anchors_are_those_of_github() -> None:
    """Letters of any script stay, punctuation goes, the second of a name is numbered."""
    assert slug("Settings: `[gateway.futu]`") == "settings-gatewayfutu"
    assert slug("What it can't do, 能做什么？") == "what-it-cant-do-能做什么"
    assert anchors_of("# A\n## A\n```sh\n# not one\n```\n") == {"a", "a-1"}
