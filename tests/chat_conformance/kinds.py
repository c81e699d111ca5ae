"""Every way in that the suite is run against."""

from tests.chat_conformance.subjects import http, node_bridge, python_adapters, services, socket
from tests.chat_conformance.subjects.subject import Feature, Kind

_ADAPTER = Feature.CONNECTS | Feature.OBJECTS | Feature.NUMBERS | Feature.PIPELINES
_NPM_ADAPTER = _ADAPTER | Feature.JAVASCRIPT
_PYTHON_ADAPTER = _ADAPTER | Feature.SHARED | Feature.LIMITS
_OPERATIONS = Feature.SHARED | Feature.TEXTS | Feature.LIMITS

KINDS = [
    Kind(name="state-memory", features=_NPM_ADAPTER, open=node_bridge.open_memory),
    Kind(name="state-redis", features=_NPM_ADAPTER | Feature.SHARED, open=node_bridge.open_redis),
    Kind(
        name="services-sqlite",
        features=_OPERATIONS | Feature.PIPELINES,
        open=services.open_services("sqlite"),
    ),
    Kind(
        name="services-postgresql",
        features=_OPERATIONS | Feature.PIPELINES,
        open=services.open_services("postgresql"),
    ),
    Kind(
        name="in-process-sqlite",
        features=_PYTHON_ADAPTER,
        open=python_adapters.open_in_process("sqlite"),
    ),
    Kind(
        name="in-process-postgresql",
        features=_PYTHON_ADAPTER,
        open=python_adapters.open_in_process("postgresql"),
    ),
    Kind(
        name="remote", features=_PYTHON_ADAPTER | Feature.REACHES, open=python_adapters.open_remote
    ),
    Kind(name="socket", features=_OPERATIONS | Feature.PIPELINES, open=socket.open_sockets),
    Kind(name="http", features=_OPERATIONS, open=http.open_http),
    Kind(
        name="chat-state-django",
        features=_NPM_ADAPTER | Feature.SHARED | Feature.LIMITS | Feature.REACHES,
        open=node_bridge.open_django,
    ),
]
