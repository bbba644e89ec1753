-- What was sent in public in the hour that runs: how often by each sender, whose address is a keyed digest, and (under the
-- empty one) by all. Nothing of it is kept beyond the hour, nor through a crash, nor in a copy of the database.
create unlogged table log.sent (
    sender bytea primary key check (length(sender) in (0, 32)),
    hour timestamptz not null,
    times integer not null check (times > 0)
);
