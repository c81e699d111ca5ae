"""docs/rpc.md: its programs run, and what it says of bytes is so."""

import subprocess

from livesync.protocol import records
from livesync.protocol.calls import RPC_PROCEDURES
from livesync.protocol.records import RecordsError
from livesync.transports.routing import RPC_PATH
from tests.docs.pages import page, rows
from tests.e2e.node_clients import ensure_own_packages
from tests.e2e.node_clients.install import E2E
from tests.site_process import SiteProcess

PAGE = page("docs/rpc.md")
ODD = {
    "`undefined`": ("d4724092a161a162d4000001", '{"b":1}'),
    "NaN, infinite": ("cb7ff8000000000000", "null"),
    "a float without a fraction, `5.0`": ("cb4014000000000000", "5"),
    "a lone surrogate": ("a3eda0bd", r'"\ud83d"'),
    "an integer beyond 2^53 - 1": ("cf0020000000000000", ""),
    "binary data, dates, sets and the like": ("c40100", ""),
}
"""Each row of the page's table: bytes, and the JSON that they come to."""

README = page("clients/livesync-rpc/README.md")


def test_the_python_program_prints_what_the_page_shows(site: SiteProcess) -> None:
    printed = site.manage("shell", "--no-imports", "-c", PAGE.block("notes.py").text)

    assert sorted(printed.splitlines()) == sorted(PAGE.block("output").text.splitlines())


def test_the_javascript_program_runs_and_is_that_of_the_package() -> None:
    program = PAGE.blocks_in("js")[0].text
    assert program == README.blocks_in("js")[0].text
    ensure_own_packages()

    subprocess.run(
        ["node", "--input-type=module", "-"], input=program.encode(), cwd=E2E, check=True
    )


def test_the_path_and_the_procedures_are_named() -> None:
    assert f"POST {RPC_PATH}?" in PAGE.text
    assert RPC_PATH in README.text
    for name in ("Pull", "Push", "Ping"):
        assert f"`{RPC_PROCEDURES}.{name}`" in PAGE.text


def test_what_is_kept_of_odd_values() -> None:
    told = dict(rows(PAGE.section("Bytes")))

    assert told.keys() == ODD.keys()
    for name, (sent, kept) in ODD.items():
        try:
            text = records.to_json(bytes.fromhex(sent), max_chars=100, max_depth=2)
        except RecordsError:
            assert told[name].startswith("refused"), name
        else:
            assert text == kept, name
