"""The outside: PostgreSQL, HTTP, the command line, identity, telemetry. Nothing knows it."""
