"""What ``serve`` prints when it is ready."""

from django.conf import settings
from django.db import connection

from syncsite import network
from syncsite.first_admin import FirstAdmin

_ANY_ADDRESS = frozenset({"0.0.0.0", "::"})


def banner(host: str, port: int, admin: FirstAdmin | None, *, exposed: bool) -> str:
    """Where the site listens, where its data is, how to reach the admin.

    Args:
        host: what the socket is bound to.
        port: likewise.
        admin: the one made by this start, if any.
        exposed: whether a development site is open to the local network.
    """
    address = f"{_for_url('127.0.0.1' if host in _ANY_ADDRESS else host)}:{port}"
    lines = [
        f"Serving with {'development' if settings.DEBUG else 'production'} settings",
        f"  sync   ws://{address} or http://{address}, for LiveStore apps",
        f"  chat   http://{address}, for bots with a token (manage.py create_chat_token)",
        f"  admin  http://{address}/admin/",
        f"  data   {_data()}",
        *_admin_lines(admin),
    ]
    if exposed and settings.DEBUG:
        lines += _warning(port)
    lines += ["Stop with Ctrl+C.", ""]
    return "\n".join(lines)


def _data() -> str:
    if connection.vendor == "postgresql":
        config = connection.settings_dict
        return f"PostgreSQL database {config['NAME']} on {config['HOST'] or 'this machine'}"
    return str(settings.SYNCSITE_DATA)


def _admin_lines(admin: FirstAdmin | None) -> list[str]:
    if admin is None:
        return []
    if admin.password is None:
        return [f"First start: the admin user is {admin.username}, with the password you chose."]
    return [
        f"First start: the admin user is {admin.username}, password {admin.password}",
        "  Note it down: it is kept nowhere. `manage.py changepassword admin` sets another one.",
    ]


def _warning(port: int) -> list[str]:
    address = network.lan_address()
    reach = f" at http://{_for_url(address)}:{port}" if address else ""
    return [
        "WARNING: SYNCSITE_EXPOSE=1 opens this development site to everybody on the local network"
        f"{reach}. Nobody is asked who they are, and errors show the program's insides."
    ]


def _for_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
