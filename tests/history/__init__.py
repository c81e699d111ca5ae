"""What clients asked for and were told, and whether all of it can be true at once.

``workload`` drives any server that speaks the wire protocol and writes the history down,
``checker`` judges it against the final log of each store, ``simulation`` and ``mutations``
judge the checker.
"""
