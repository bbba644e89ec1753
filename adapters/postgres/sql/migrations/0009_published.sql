-- What each party's stream holds of each participant, so that after a crash the next beat goes on from here.

-- `version` only grows, over withdrawals too; `generation` is the version at which the key was made; `content` a keyed
-- digest of what was published; `sent` false: the broker has not acknowledged it. Rows stay for the version's sake.
create table stream.published (
    party_id uuid not null,
    participant_id uuid not null,
    version bigint not null check (version > 0),
    generation bigint not null check (generation > 0),
    key_subject uuid not null unique,
    epoch bigint not null,
    content bytea not null check (length(content) = 32),
    lease_until timestamptz not null,
    withdrawn boolean not null,
    sent boolean not null,
    changed_at timestamptz not null,
    primary key (party_id, participant_id)
);

-- What became of messages that agencies sent, until they were told: their own ids of them, and what is wrong; no value.
create table stream.acknowledgement (
    id bigint generated always as identity primary key,
    party_id uuid not null,
    source text not null,
    message text not null,
    code text not null check (code in ('accepted', 'refused')),
    faults jsonb not null,
    correlation_id uuid not null,
    taken_at timestamptz not null
);
