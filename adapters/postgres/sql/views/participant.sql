-- Generated from the models of projections.participant, not edited: python -m adapters.postgres.tables
-- Run by `migrate` when it differs from what the schema's comment says. The projector then computes every row again.
drop schema if exists participant cascade;
create schema participant;

-- Entry (role): One event of the participant's own history. `agency`: whose action a finding is about.
create table participant.entry (
    subject_id uuid not null,
    as_of bigint not null,
    occurred_at timestamptz not null,
    recorded_at timestamptz not null,
    entry_id uuid not null,
    stream_id uuid not null,
    matter_id uuid,
    kind text not null,
    shown text not null,
    body jsonb not null,
    agency_id uuid
);

-- Own (role): Who the participant is to LEAD.
create table participant.own (
    subject_id uuid not null,
    as_of bigint not null,
    name text,
    birth_date date,
    phone text,
    enrolment text,
    case_manager text,
    call text,
    roi uuid
);

-- Recipient (role): What the participant's consent gives one party now.
create table participant.recipient (
    subject_id uuid not null,
    as_of bigint not null,
    party_id uuid not null,
    labels jsonb not null,
    purpose text not null,
    covers_from timestamptz,
    until timestamptz,
    items bigint not null
);

select site.keep_no_statistics('participant');
comment on schema participant is 'participant/8 sha256 9e7d7f236f77e82aefd4c9ffa23dda2cbb1b93f3f60a842adf146504f8d357f6';

alter table participant.entry add primary key (occurred_at, entry_id);
create index on participant.entry (subject_id, occurred_at);
alter table participant.own add primary key (subject_id);
alter table participant.recipient add primary key (subject_id, party_id);

grant usage on schema participant to goldenthread_participant, goldenthread_projector;

alter table participant.entry enable row level security;
alter table participant.entry force row level security;
create policy role on participant.entry for select to goldenthread_participant using (
    (select gate.party()) is not null and occurred_at >= (select '-infinity'::timestamptz where gate.party() is not null) and subject_id in (select gate.records())
);
create policy projector on participant.entry for all to goldenthread_projector using (true) with check (true);
grant select on participant.entry to goldenthread_participant;
grant select, insert, delete on participant.entry to goldenthread_projector;

alter table participant.own enable row level security;
alter table participant.own force row level security;
create policy role on participant.own for select to goldenthread_participant using (
    (select gate.party()) is not null and subject_id >= (select '00000000-0000-0000-0000-000000000000'::uuid where gate.party() is not null) and subject_id in (select gate.records())
);
create policy projector on participant.own for all to goldenthread_projector using (true) with check (true);
grant select on participant.own to goldenthread_participant;
grant select, insert, delete on participant.own to goldenthread_projector;

alter table participant.recipient enable row level security;
alter table participant.recipient force row level security;
create policy role on participant.recipient for select to goldenthread_participant using (
    (select gate.party()) is not null and subject_id >= (select '00000000-0000-0000-0000-000000000000'::uuid where gate.party() is not null) and subject_id in (select gate.records())
);
create policy projector on participant.recipient for all to goldenthread_projector using (true) with check (true);
grant select on participant.recipient to goldenthread_participant;
grant select, insert, delete on participant.recipient to goldenthread_projector;

insert into log.view (name, position) values ('participant', 0) on conflict (name) do update set position = 0;
delete from log.parked where view = 'participant';
