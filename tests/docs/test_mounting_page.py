"""docs/mounting.md: its project, made from its blocks alone, syncs over both transports."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.docs import sync_http
from tests.docs.pages import ROOT, page
from tests.docs.sync_http import event, new_store_id, outcome, pull, push
from tests.processes import DEADLINE_S, LOOPBACK, ServerProcess
from tests.site_process import SITE_VARIABLES

PAGE = page("docs/mounting.md")
MANAGE = """
import os
import sys
from django.core.management import execute_from_command_line

os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
execute_from_command_line(sys.argv)
"""
# what the section "Bots' state" says in words
WITH_BOTS = {
    "settings.py": """
INSTALLED_APPS += ["rest_framework", "chatstate"]
DATABASES["chatstate"] = {**SQLITE, "NAME": BASE_DIR / "chatstate.sqlite3"}
""",
    "urls.py": """
urlpatterns += [path("api/chat/v1/", include("chatstate.transports.urls"))]
""",
    "asgi.py": """
from chatstate.transports import routing


async def bots_or_not(scope, receive, send):
    is_bot = scope["path"] == routing.PATH
    await (routing.websocket_application if is_bot else sync_or_not)(scope, receive, send)


application = ProtocolTypeRouter({"http": site, "websocket": bots_or_not})
""",
}


class BareProject(ServerProcess):
    """The project of the page, under plain uvicorn."""

    name = "bare-project"

    def __init__(self, application: str) -> None:
        super().__init__()
        self._application = application
        for block in PAGE.blocks_in("python"):
            (self.directory / block.name).write_text(block.text)
        (self.directory / "manage.py").write_text(MANAGE)

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    def migrate(self) -> None:
        """Run the two commands of the page."""
        for line in _block("manage.py migrate").splitlines():
            program, *arguments = line.split()
            assert program == "python"
            self._run([sys.executable, *arguments])

    def command(self) -> Sequence[str]:
        uvicorn = (sys.executable, "-m", "uvicorn", self._application)
        return [*uvicorn, "--host", LOOPBACK, "--port", str(self.port)]

    def environment(self) -> Mapping[str, str]:
        inherited = {name: os.environ[name] for name in os.environ.keys() - SITE_VARIABLES}
        return inherited | {"PYTHONPATH": f"{self.directory}{os.pathsep}{ROOT}"}

    def is_ready(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((LOOPBACK, self.port)) == 0

    def add(self, texts: Mapping[str, str]) -> None:
        """Put a text behind each of these files."""
        for name, text in texts.items():
            with (self.directory / name).open("a") as file:
                file.write(text)

    def manage(self, *arguments: str) -> str:
        """Run a command of the project; what it prints."""
        return self._run([sys.executable, "manage.py", *arguments])

    def _run(self, command: Sequence[str]) -> str:
        done = subprocess.run(
            command,
            check=True,
            cwd=self.directory,
            env=self.environment(),
            stdout=subprocess.PIPE,
            text=True,
        )
        return done.stdout


def _block(text: str) -> str:
    (found,) = (block.text for block in PAGE.blocks_in("sh") if text in block.text)
    return found


@pytest.fixture(scope="module", params=["asgi:application", "lean_asgi:application"])
def project(request: pytest.FixtureRequest) -> Iterator[BareProject]:
    project = BareProject(request.param)
    project.migrate()
    with project:
        yield project


def test_a_store_syncs_over_http(project: BareProject) -> None:
    store_id = new_store_id()
    url = f"http://{project.address}/sync{sync_http.url(store_id)[1:]}"

    with httpx.Client() as http:
        pushed = outcome(http.post(url, json=push(store_id, event(1))))
        pulled = http.post(url, json=pull(store_id)).json()

    assert pushed == "Success"
    assert [item["eventEncoded"]["seqNum"] for item in pulled[0]["values"][0]["batch"]] == [1]


def test_a_store_syncs_over_websocket(project: BareProject) -> None:
    store_id = new_store_id()
    payload = {"storeId": store_id, "batch": [event(1)], "backendId": {"_tag": "None"}}
    message = sync_http.request("SyncWsRpc.Push", payload)

    with connect(f"ws://{project.address}/sync?storeId={store_id}&transport=ws") as opened:
        opened.send(json.dumps(message))
        answer = json.loads(opened.recv(DEADLINE_S))

    assert answer["exit"] == {"_tag": "Success", "value": {}}


def test_what_is_no_sync_request_is_the_sites(project: BareProject) -> None:
    with pytest.raises(InvalidStatus), connect(f"ws://{project.address}/sync?storeId=notes"):
        pass  # never opened

    assert httpx.get(f"http://{project.address}/other").status_code == httpx.codes.NOT_FOUND


def test_bots_keep_their_state_in_it() -> None:
    project = BareProject("asgi:application")
    project.add(WITH_BOTS)
    project.migrate()
    project.manage("migrate", "--database", "chatstate")
    token = project.manage("create_chat_token", "bot").strip()

    with project:
        answer = httpx.post(
            f"http://{project.address}/api/chat/v1/set",
            json={"key": "greeting", "value": "hello"},
            headers={"Authorization": f"Bearer {token}"},
        )
        with connect(f"ws://{project.address}/api/chat/v1/socket") as opened:
            opened.send(json.dumps({"token": token}))
            opened.recv(DEADLINE_S)
            opened.send(json.dumps([{"id": 1, "op": "get", "key": "greeting"}]))
            found = json.loads(opened.recv(DEADLINE_S))

    assert answer.json() == {"value": None}
    assert found == [{"id": 1, "value": "hello"}]


async def test_the_drain_can_be_awaited() -> None:
    namespace: dict[str, object] = {}
    exec(PAGE.block("drain.py").text, namespace)
    drain = namespace["before_shutdown"]
    assert callable(drain)

    await drain()
