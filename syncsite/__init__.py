"""The Django project: wires the apps, reads the environment, serves."""
