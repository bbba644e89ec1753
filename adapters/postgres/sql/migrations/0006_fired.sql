-- How far the clocks have fired: of each topic, everything that had ended by `until` and stood at or before `position`.
create table log.fired (
    topic text primary key,
    until timestamptz not null,
    position bigint not null check (position >= 0)
);
