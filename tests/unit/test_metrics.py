"""What a metric may be called, and what a label may say."""

import pytest
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

from chatstate import metrics as chatstate_metrics
from livesync import metrics as livesync_metrics

METRICS = [
    pytest.param(app, metric, id=metric.describe()[0].name)
    for app, module in (("chatstate", chatstate_metrics), ("livesync", livesync_metrics))
    for metric in vars(module).values()
    if isinstance(metric, Counter | Gauge | Histogram)
]
UNITS = {"Counter": ("_total",), "Histogram": ("_seconds",)}
COUNTED = ("_bytes", "_pulls", "_processes", "_sockets")


@pytest.mark.parametrize(("app", "metric"), METRICS)
def test_a_name_says_the_app_and_the_unit(app: str, metric: MetricWrapperBase) -> None:
    (family,) = metric.describe()
    name = family.name + ("_total" if isinstance(metric, Counter) else "")

    assert name.startswith(f"{app}_")
    assert name.endswith(UNITS.get(type(metric).__name__, COUNTED))
    assert family.documentation.endswith(".")


def test_nobody_is_named() -> None:
    labels = {name for param in METRICS for name in param.values[1]._labelnames}

    assert labels == {"error"}
