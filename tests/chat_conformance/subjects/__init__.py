"""The ways in that the suite is run against."""
