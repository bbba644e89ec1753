"""PostgreSQL: the log, the gate, the tables of the views, the embedded server."""
