-- What agencies are told is looked after too: whom a second word is owed, by when a word has had its time, how the relay is.

-- `unread`: it came by stream and could not be read, and its sender was told so.
alter table stream.kept add column unread boolean not null default false;

-- Since when something is to be told to a party of a participant, however often it was tried; null: the broker has it.
alter table stream.published add column unsent_since timestamptz;
update stream.published set unsent_since = changed_at where not sent;
alter table stream.published add constraint unsent_since_says_it check (sent = (unsent_since is null));

-- Past `until` nobody is told any more.
alter table stream.acknowledgement add column until timestamptz;
update stream.acknowledgement set until = taken_at + interval '30 days';
alter table stream.acknowledgement alter column until set not null;
create index acknowledgement_until on stream.acknowledgement (until);

-- How many acknowledgements had had their time before a party could be told.
create table stream.never_told (
    party_id uuid primary key,
    acknowledgements bigint not null check (acknowledgements > 0)
);

-- When the relay beat last, and what has gone wrong since when: the kind of it, null while all is well.
create table stream.beat (
    one boolean primary key default true check (one),
    beat_at timestamptz not null,
    failure text,
    failing_since timestamptz,
    constraint failing_since_says_it check ((failure is null) = (failing_since is null))
);

-- Taking says of what is kept whether it is unread.
drop function if exists stream.take(
    text, integer, bigint, bigint, bigint, bytea, bytea[], uuid[], text[], text[], integer[], bigint[], bytea[], jsonb[],
    uuid[], bytea[], timestamptz[], bigint[], text[], uuid, text, jsonb[]
);
