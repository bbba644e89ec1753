-- Generated from the models of projections.case_manager, not edited: python -m adapters.postgres.tables
-- Run by `migrate` when it differs from what the schema's comment says. The projector then computes every row again.
drop schema if exists case_manager cascade;
create schema case_manager;

-- CareReferral (role): A referral by any door, as care reads it.
create table case_manager.referral (
    subject_id uuid not null,
    as_of bigint not null,
    referred_at timestamptz not null,
    referral_id uuid not null,
    participant_id uuid not null,
    party_id uuid not null,
    door text not null,
    waits boolean not null,
    name text,
    description text,
    place text,
    reason text,
    contacts bigint not null,
    reached boolean not null,
    screening jsonb,
    risks jsonb not null,
    accepted_at timestamptz,
    decline jsonb
);

-- Participant (role): A person whom the team carries or may come to carry.
create table case_manager.participant (
    subject_id uuid not null,
    as_of bigint not null,
    name text not null,
    birth_date date,
    phone text,
    found_at text,
    enrolment text not null,
    enrolled_at timestamptz,
    carried_by uuid,
    case_manager text,
    intake_due_on date,
    roi uuid,
    roi_until timestamptz
);

-- Recipient (role): What a participant's consent gives one party now.
create table case_manager.recipient (
    subject_id uuid not null,
    as_of bigint not null,
    party_id uuid not null,
    labels jsonb not null,
    purpose text not null,
    covers_from timestamptz,
    until timestamptz,
    items bigint not null
);

-- Entry (role): One event of a participant's history, as far as care may read it.
create table case_manager.entry (
    subject_id uuid not null,
    as_of bigint not null,
    occurred_at timestamptz not null,
    recorded_at timestamptz not null,
    entry_id uuid not null,
    stream_id uuid not null,
    matter_id uuid,
    kind text not null,
    shown text not null,
    body jsonb not null
);
comment on schema case_manager is 'case_manager/2 sha256 7254528ee6dc1c4cb28e8235adad643de0c4929240ef139e71efee43e17fcee5';

alter table case_manager.referral add primary key (referred_at, referral_id);
create index on case_manager.referral (subject_id);
alter table case_manager.participant add primary key (name, subject_id);
create index on case_manager.participant (subject_id);
alter table case_manager.recipient add primary key (subject_id, party_id);
alter table case_manager.entry add primary key (subject_id, occurred_at, entry_id);

grant usage on schema case_manager to goldenthread_case_manager, goldenthread_projector;

alter table case_manager.referral enable row level security;
alter table case_manager.referral force row level security;
create policy role on case_manager.referral for select to goldenthread_case_manager using (
    (select gate.party()) is not null
);
create policy projector on case_manager.referral for all to goldenthread_projector using (true) with check (true);
grant select on case_manager.referral to goldenthread_case_manager;
grant select, insert, delete on case_manager.referral to goldenthread_projector;

alter table case_manager.participant enable row level security;
alter table case_manager.participant force row level security;
create policy role on case_manager.participant for select to goldenthread_case_manager using (
    (select gate.party()) is not null
);
create policy projector on case_manager.participant for all to goldenthread_projector using (true) with check (true);
grant select on case_manager.participant to goldenthread_case_manager;
grant select, insert, delete on case_manager.participant to goldenthread_projector;

alter table case_manager.recipient enable row level security;
alter table case_manager.recipient force row level security;
create policy role on case_manager.recipient for select to goldenthread_case_manager using (
    (select gate.party()) is not null
);
create policy projector on case_manager.recipient for all to goldenthread_projector using (true) with check (true);
grant select on case_manager.recipient to goldenthread_case_manager;
grant select, insert, delete on case_manager.recipient to goldenthread_projector;

alter table case_manager.entry enable row level security;
alter table case_manager.entry force row level security;
create policy role on case_manager.entry for select to goldenthread_case_manager using (
    (select gate.party()) is not null
);
create policy projector on case_manager.entry for all to goldenthread_projector using (true) with check (true);
grant select on case_manager.entry to goldenthread_case_manager;
grant select, insert, delete on case_manager.entry to goldenthread_projector;

insert into log.view (name, position) values ('case_manager', 0) on conflict (name) do update set position = 0;
delete from log.parked where view = 'case_manager';
