"""The app: its name, its checks."""

from django.apps import AppConfig


class LivesyncConfig(AppConfig):
    name = "livesync"
    verbose_name = "LiveStore sync"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from livesync import checks  # noqa: F401 (registers the checks)
