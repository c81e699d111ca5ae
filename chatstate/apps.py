"""The app: its name, its checks."""

from django.apps import AppConfig


class ChatstateConfig(AppConfig):
    name = "chatstate"
    verbose_name = "Chat state"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from chatstate import checks  # noqa: F401 (registers the checks)
