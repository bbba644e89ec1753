-- Who is signed in, and how much each has asked lately. Nothing of it goes through a crash, nor into a copy of the
-- database: then everyone signs in again, and every measure is empty.
create schema access;

-- `id`: SHA-256 of what the browser holds. `epoch`: of the person's authority when the session began; whoever's
-- authority ended since has none, though it be given again.
create unlogged table access.session (
    id bytea primary key check (length(id) = 32),
    staff_id uuid not null,
    epoch bigint not null,
    authenticated_at timestamptz not null,
    begun_at timestamptz not null,
    seen_at timestamptz not null,
    ends_at timestamptz not null
);
create index session_staff on access.session (staff_id);

-- How full a measure is: it is empty from `empty_at` on. `id`: a keyed digest of what is measured and of whom.
create unlogged table access.measure (
    id bytea primary key check (length(id) = 32),
    empty_at timestamptz not null
) with (fillfactor = 50);
