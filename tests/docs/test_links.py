"""Every link inside the project leads somewhere, and every page can be reached."""

import pytest

from tests.docs.pages import ROOT, Page, all_pages, page

PAGES = all_pages()
ENTRANCE = page("README.md")


@pytest.mark.parametrize("one", PAGES, ids=str)
def test_links_lead_to_what_is_there(one: Page) -> None:
    dead = [link for link in one.links if not _leads_somewhere(one, link)]

    assert dead == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached = {ENTRANCE.path}
    ahead = [ENTRANCE]
    while ahead:
        for path in _linked_files(ahead.pop()):
            if path.suffix == ".md" and path not in reached:
                reached.add(path)
                ahead.append(Page(path))

    assert {one.path for one in PAGES} <= reached


def _leads_somewhere(one: Page, link: str) -> bool:
    if link.startswith(("https://", "http://localhost", "http://127.0.0.1")):
        return True
    name, _, anchor = link.partition("#")
    target = (one.path.parent / name).resolve() if name else one.path
    if not target.exists() or not target.is_relative_to(ROOT):
        return False
    return not anchor or anchor in Page(target).anchors


def _linked_files(one: Page) -> list[object]:
    names = (link.partition("#")[0] for link in one.links if "://" not in link)
    return [(one.path.parent / name).resolve() for name in names if name]
