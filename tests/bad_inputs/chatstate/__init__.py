"""What no bot sends: every way in refuses it with the agreed code and field, and goes on."""
