"""The ``files`` engine: one SQLite file for each store, with the tables of the reference."""
