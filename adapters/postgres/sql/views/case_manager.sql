-- Generated from the models of projections.case_manager, not edited: python -m adapters.postgres.tables
-- Run by `migrate` when it differs from what the schema's comment says. The projector then computes every row again.
drop schema if exists case_manager cascade;
create schema case_manager;

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
    covered_by uuid,
    covered_from timestamptz,
    covered_until timestamptz,
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

-- Duty (role): When someone of the team is on call.
create table case_manager.duty (
    subject_id uuid not null,
    as_of bigint not null,
    staff_id uuid not null,
    begins_at timestamptz not null,
    ends_at timestamptz not null
);
comment on schema case_manager is 'case_manager/2 sha256 7826bfa9740ecc9abd49c8e2e84e9e3a3d4bcf29899d1cd3ca004f87ea00c2ed';

alter table case_manager.participant add primary key (name, subject_id);
create index on case_manager.participant (subject_id);
alter table case_manager.recipient add primary key (subject_id, party_id);
alter table case_manager.entry add primary key (subject_id, occurred_at, entry_id);
alter table case_manager.duty add primary key (begins_at, staff_id);
create index on case_manager.duty (subject_id);

grant usage on schema case_manager to goldenthread_case_manager, goldenthread_projector;

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

alter table case_manager.duty enable row level security;
alter table case_manager.duty force row level security;
create policy role on case_manager.duty for select to goldenthread_case_manager using (
    (select gate.party()) is not null
);
create policy projector on case_manager.duty for all to goldenthread_projector using (true) with check (true);
grant select on case_manager.duty to goldenthread_case_manager;
grant select, insert, delete on case_manager.duty to goldenthread_projector;

insert into log.view (name, position) values ('case_manager', 0) on conflict (name) do update set position = 0;
delete from log.parked where view = 'case_manager';
