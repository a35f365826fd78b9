"""The published systems: each folder is a plug-in, found by an entry point; nothing outside imports it."""
