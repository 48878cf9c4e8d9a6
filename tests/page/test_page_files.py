"""The page as files: who is served what, with which headers, and that nothing comes from elsewhere."""

import re
import tomllib

import httpx
import pytest
from serving import ROOT

from realtime.server.page_files import FOLDER

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
FILES = sorted(path for path in FOLDER.rglob("*") if path.is_file())
LONGEST = 330


def names(paths):
    return [str(path.relative_to(FOLDER)) for path in paths]


def test_a_browser_gets_the_page_and_a_terminal_a_line(site):
    page = httpx.get(site, headers=HTML)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.text == (FOLDER / "index.html").read_text(encoding="utf-8")
    line = httpx.get(site)
    assert line.headers["content-type"].startswith("text/plain")
    assert site.replace("http", "ws", 1) + "/v1/realtime" in line.text
    assert page.headers["vary"] == line.headers["vary"] == "Accept"


def test_what_has_not_changed_is_not_sent_again(site):
    first = httpx.get(site, headers=HTML)
    assert first.headers["cache-control"] == "no-cache"
    again = httpx.get(site, headers=HTML | {"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("name", names(FILES))
def test_every_file_is_served_as_what_it_is(site, name):
    answer = httpx.get(f"{site}/page/{name}")
    assert answer.status_code == 200
    kinds = {"js": "text/javascript", "css": "text/css", "html": "text/html", "svg": "image/svg+xml"}
    assert answer.headers["content-type"].split(";")[0] == kinds[name.rpartition(".")[2]]
    assert answer.headers["x-content-type-options"] == "nosniff"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("path", ["/page/", "/page/../app.py", "/page/%2e%2e/app.py", "/page/nothing.js"])
def test_nothing_else_is_served(site, path):
    assert httpx.get(site + path).status_code == 404


@pytest.mark.parametrize("path", FILES, ids=names(FILES))
def test_nothing_comes_from_elsewhere(path):
    text = path.read_text(encoding="utf-8")
    found = set(re.findall(r"https?://[\w.]+", text)) - {"http://www.w3.org"}  # A namespace, never fetched.
    assert found == set()
    assert len(text.splitlines()) <= LONGEST


@pytest.mark.parametrize("path", FILES, ids=names(FILES))
def test_every_module_that_is_named_is_there(path):
    text = path.read_text(encoding="utf-8")
    for name in re.findall(r'(?:from|import) "(\.[^"]+)"', text):
        assert (path.parent / name).is_file()
    for name in re.findall(r'(?:src|href)="(page/[^"]+)"', text):
        assert (FOLDER / name.removeprefix("page/")).is_file()


def test_the_package_holds_the_page():
    data = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    (pattern,) = data["package-data"]["realtime"]
    held = set((ROOT / "realtime").glob(pattern))
    assert set(FILES) <= held
