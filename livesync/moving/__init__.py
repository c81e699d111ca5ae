"""Eventlogs in files: what LiveStore's own servers and tools leave behind, and what we write."""
