"""Which of the shards' databases an operator looks at: a choice that the session keeps."""

from collections.abc import Sequence
from typing import NamedTuple

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from chatstate.conf import get_settings
from chatstate.sharding import database_aliases, default_alias

_SESSION_KEY = "chatstate_database"


class Choice(NamedTuple):
    """A database to look at, and the shards that it keeps."""

    alias: str
    shards: Sequence[str]
    is_shown: bool


def shown_alias(request: HttpRequest) -> str:
    """The database whose rows the pages show: the chosen one, at first the default shard's."""
    chosen = request.session.get(_SESSION_KEY)
    return chosen if chosen in database_aliases() else default_alias()


def choices(request: HttpRequest) -> Sequence[Choice]:
    """What there is to choose from; nothing where one database keeps all shards."""
    aliases, shown = database_aliases(), shown_alias(request)
    if len(aliases) == 1:
        return []
    shards = get_settings().shards.items()
    return [
        Choice(alias, sorted(name for name, kept_in in shards if kept_in == alias), alias == shown)
        for alias in aliases
    ]


def choice_url(site: AdminSite) -> URLPattern:
    """Where the form of a list sends the choice."""
    return path("database/", site.admin_view(require_POST(_choose)), name="chatstate_database")


def _choose(request: HttpRequest) -> HttpResponse:
    alias = request.POST.get("database")
    if alias in database_aliases():
        request.session[_SESSION_KEY] = alias
    back = request.POST.get("back", "")
    if not url_has_allowed_host_and_scheme(back, allowed_hosts=None):
        back = reverse("admin:app_list", args=("chatstate",))
    return HttpResponseRedirect(back)
