"""The HTTP side as a URLconf, to be mounted below ``api/chat/v1/``."""

from django.urls import path, re_path

from chatstate.protocol.operations import OPERATIONS
from chatstate.transports.views import (
    BatchView,
    OperationView,
    SchemaView,
    UnknownOperationView,
)

urlpatterns = [
    path("schema", SchemaView.as_view()),
    path("batch", BatchView.as_view()),
    *(
        path(name, OperationView.as_view(operation=operation))
        for name, operation in OPERATIONS.items()
    ),
    re_path(r"^(?P<name>[\s\S]*)$", UnknownOperationView.as_view()),
]
