-- The durable tables. Rows of the log are never changed and never deleted.
create schema if not exists site; -- the list of migrations is there already
create schema log;
create schema gate;

create table site.environment (
    kind text not null check (kind in ('production', 'demo', 'test')),
    one boolean primary key default true check (one)
);

create table site.clock_offset (
    ahead interval not null,
    one boolean primary key default true check (one)
);

-- The padded halves of the HMAC-SHA256 key by which the application signs who the reader is.
create table site.context_key (
    inner_pad bytea not null check (length(inner_pad) = 64),
    outer_pad bytea not null check (length(outer_pad) = 64),
    one boolean primary key default true check (one)
);

-- Events and disclosures draw their position from one sequence.
create sequence log.position;

create table log.event (
    originator_id uuid not null,
    originator_version bigint not null,
    topic text not null,
    state bytea not null,
    notification_id bigint not null default nextval('log.position'),
    recorded_at timestamptz not null,
    participant_id uuid,
    matter_id uuid,
    party_id uuid,
    staff_id uuid,
    expires_at timestamptz,
    salt bytea not null,
    primary key (originator_id, originator_version),
    -- The gate is derived from these columns: a consent event without them would leave it open.
    constraint consent_names_participant_and_party check (
        topic not in (
            'roi.granted', 'roi.narrowed', 'roi.revoked', 'roi.expired', 'item.consented', 'item.withdrawn'
        ) or (participant_id is not null and party_id is not null)
    ),
    constraint consent_that_gives_names_its_end check (
        topic not in ('roi.granted', 'roi.narrowed', 'item.consented') or expires_at is not null
    ),
    constraint authority_names_staff_and_party check (
        topic not in ('staff.registered', 'staff.ended', 'access.given') or (staff_id is not null and party_id is not null)
    )
);
create unique index event_position on log.event (notification_id);
create index event_participant on log.event (participant_id, notification_id) where participant_id is not null;
-- Events about nobody in LEAD: their subject is the matter, or else the stream.
create index event_subject on log.event (coalesce(matter_id, originator_id), notification_id)
    where participant_id is null;
create index event_expiry on log.event (expires_at) where expires_at is not null;
create index event_topic on log.event (topic, notification_id);

-- What a caller sent and which ids it got, so that a command sent twice is done once.
create table log.answer (
    actor uuid not null,
    key text not null,
    request bytea not null,
    answer jsonb not null,
    recorded_at timestamptz not null,
    primary key (actor, key)
);

-- Data keys, wrapped by the site key, which lives elsewhere.
create table log.key (
    key_id uuid primary key,
    subject_id uuid not null unique,
    wrapped bytea,
    made_at timestamptz not null,
    destroyed_at timestamptz,
    constraint destroyed_means_gone check ((wrapped is null) = (destroyed_at is not null))
);

-- Who was shown what, when, why and under which grant. `access`: care and other readers by role.
create table log.disclosure (
    position bigint primary key default nextval('log.position'),
    recorded_at timestamptz not null,
    kind text not null check (kind in ('disclosure', 'access')),
    reader text not null,
    party_id uuid not null,
    staff_id uuid not null,
    participant_id uuid not null,
    epoch bigint,
    as_of bigint not null,
    view_version text not null,
    labels text not null,
    grants text not null,
    purpose text not null,
    surface text not null,
    digest bytea not null,
    correlation_id uuid not null,
    salt bytea not null,
    constraint disclosure_names_its_epoch check (kind = 'access' or epoch is not null)
);
create index disclosure_participant on log.disclosure (participant_id, position);

-- One sequence of leaves over events and disclosures; a leaf without a position is padding.
create table log.leaf (
    index bigint primary key,
    position bigint unique,
    participant_id uuid,
    number bigint,
    previous bytea,
    salt bytea not null,
    hash bytea not null check (length(hash) = 32),
    unique (participant_id, number)
);

create table log.checkpoint (
    size bigint primary key,
    note text not null,
    signed_at timestamptz not null
);

-- How far each view has come, under which version of the protocol's ceiling, and until when consent that came to its
-- end by time has been swept out of it; and whom it could not compute.
create table log.view (
    name text primary key,
    position bigint not null,
    ceiling text not null default '',
    swept_at timestamptz not null default '-infinity'
);
create table log.parked (
    view text not null,
    subject_id uuid not null,
    position bigint not null,
    error text not null,
    parked_at timestamptz not null,
    primary key (view, subject_id)
);

-- Rows are never deleted. Alive while one of the ends lies ahead; `epoch` is the position of the last narrowing event.
create table gate.consent (
    party_id uuid not null,
    participant_id uuid not null,
    epoch bigint not null,
    roi_until timestamptz not null,
    item_until timestamptz not null,
    primary key (party_id, participant_id)
);

-- A person's authority: staff, counsel. It ends at once.
create table gate.authority (
    staff_id uuid primary key,
    party_id uuid not null,
    epoch bigint not null,
    alive boolean not null
);
