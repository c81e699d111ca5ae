"""The threads that bots listen to."""

from django.contrib import admin
from django.urls import URLPattern, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from chatstate.admin.base import KeyedAdmin, key_text, show_key, shown_ms_instant
from chatstate.admin.deeds import Deed, DeedPage, do
from chatstate.models import Subscription
from chatstate.protocol.operations import Unsubscribe

UNSUBSCRIBE = Deed(
    name="unsubscribe",
    permission="chatstate.delete_subscription",
    verb="Unsubscribe",
    warning="The bot no longer listens to this thread, until it subscribes again.",
    state=lambda row: str(row.subscribed_at_ms),
    shown=lambda row: show_key(row.thread_id),
    do=lambda row: do(row, Unsubscribe(thread_id=key_text(row.thread_id))),
    note=lambda row: f"Unsubscribed {row.namespace} from {row}.",
)


class SubscriptionAdmin(KeyedAdmin):
    """Found by a whole thread id."""

    key_field = "thread_id"
    list_display = ("shown_key", "namespace", "subscribed", "ways")
    fields = list_display[:-1]
    search_help_text = "A whole thread id."

    def get_urls(self) -> list[URLPattern]:
        return [DeedPage(self, UNSUBSCRIBE).url(), *super().get_urls()]

    @admin.display(description="subscribed")
    def subscribed(self, row: Subscription) -> str:
        return shown_ms_instant(row.subscribed_at_ms)

    @admin.display(description="")
    def ways(self, row: Subscription) -> SafeString:
        url = reverse("admin:chatstate_subscription_unsubscribe", args=(row.pk,))
        return format_html('<a href="{}">Unsubscribe…</a>', url)
