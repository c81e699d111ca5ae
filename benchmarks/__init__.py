"""Measure this server against the reference, in one run and over the wire alone.

``python -m benchmarks`` prints the tables; nothing here is imported by the site.
"""
