-- What agencies send: how far each partition of a topic was taken, which messages, and what of them is kept for a time.
create schema stream;

-- `last_record` is a digest of the record before `next_offset`, by which a broker that came back empty or filled anew is
-- noticed; `owner_epoch` fences a gateway that was replaced; `stopped` says why nobody goes on.
create table stream.partition (
    topic text not null,
    number integer not null check (number >= 0),
    topic_id text not null,
    next_offset bigint not null default 0 check (next_offset >= 0),
    last_record bytea check (length(last_record) = 32),
    owner_epoch bigint not null default 0,
    stopped text,
    taken_at timestamptz not null,
    primary key (topic, number)
);

-- The messages that were taken, each a keyed digest of its source and id, so that none is taken twice.
create table stream.message (
    digest bytea primary key check (length(digest) = 32),
    taken_at timestamptz not null
);

-- Messages that could not be taken, or not yet, as they came: sealed under a key of the day on which they must be gone.
--   set aside: somebody must mend or drop it; later ones of its key wait
--   waits:     behind one of the same key that was set aside
--   early:     what it speaks of has not come yet
--   unknown:   nobody LEAD knows (yet): gone at its end, unless LEAD comes to know the person
create table stream.kept (
    id bigint generated always as identity primary key,
    party_id uuid not null,
    state text not null check (state in ('set aside', 'waits', 'early', 'unknown')),
    topic text not null,
    partition integer not null,
    "offset" bigint not null,
    key bytea not null check (length(key) = 32),
    faults jsonb not null,
    sealed_under uuid not null,
    body bytea not null,
    kept_at timestamptz not null,
    until timestamptz not null
);
create index kept_key on stream.kept (party_id, key, id);
create index kept_until on stream.kept (until);

-- The key of each day, under which lies what must be gone when it is over.
create table stream.day (
    day date primary key,
    key_id uuid not null unique
);

-- What became of a message that was set aside: who decided it, and why. Nothing of what it said.
create table stream.settled (
    id bigint primary key,
    party_id uuid not null,
    topic text not null,
    partition integer not null,
    "offset" bigint not null,
    faults jsonb not null,
    outcome text not null check (outcome in ('taken', 'dropped', 'gone by age')),
    settled_by uuid,
    why text,
    kept_at timestamptz not null,
    settled_at timestamptz not null
);
