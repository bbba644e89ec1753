"""What people can do and ask: commands, questions, release. Knows domain and projections; defines ports."""
