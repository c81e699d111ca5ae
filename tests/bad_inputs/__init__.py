"""What no client sends: every entrance answers it as agreed, stores nothing and goes on.

``B42`` and the like are rows of the project's catalogue of bad inputs. Most are rows of tables
here as well; each is sent to sites on SQLite and on PostgreSQL, and over WebSocket and HTTP where
both can carry it. After each, the log holds no stack trace and no secret, the server's memory has
not grown much, and a valid request works.
"""
