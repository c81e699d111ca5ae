"""What a metric may be called, and what a label may say."""

import pytest
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

from livesync import metrics

METRICS = [
    metric for metric in vars(metrics).values() if isinstance(metric, Counter | Gauge | Histogram)
]
UNITS = {"Counter": ("_total",), "Histogram": ("_seconds",)}
COUNTED = ("_bytes", "_pulls", "_processes")


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.describe()[0].name)
def test_a_name_says_the_app_and_the_unit(metric: MetricWrapperBase) -> None:
    (family,) = metric.describe()
    name = family.name + ("_total" if isinstance(metric, Counter) else "")

    assert name.startswith("livesync_")
    assert name.endswith(UNITS.get(type(metric).__name__, COUNTED))
    assert family.documentation.endswith(".")


def test_nobody_is_named() -> None:
    labels = {name for metric in METRICS for name in metric._labelnames}

    assert labels == {"error"}
