"""What the server must survive: processes killed, stopped, raced and clogged while clients work.

Clients and servers are real, the sockets too. What the clients were told is judged by the history
checker; how much happens is a ``figure``, small here and full in a drill.
"""
