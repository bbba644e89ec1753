-- Rows of a loaded file that could not be taken, each once: where it stood and what is wrong with it, not what it says.
create table log.set_aside (
    source text not null,
    row_sha256 bytea not null check (length(row_sha256) = 32),
    row_number bigint not null check (row_number > 0),
    field text not null,
    reason text not null,
    recorded_at timestamptz not null,
    primary key (source, row_sha256)
);
