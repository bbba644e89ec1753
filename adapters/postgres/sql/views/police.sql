-- Generated from the models of projections.police, not edited: python -m adapters.postgres.tables
-- Run by `migrate` when it differs from what the schema's comment says. The projector then computes every row again.
drop schema if exists police cascade;
create schema police;

-- OwnReferral (own): A referral that this department made, as it made it, with the closed codes it was sent.
create table police.own_referral (
    subject_id uuid not null,
    party_id uuid not null,
    offered_at timestamptz not null,
    referral_id uuid not null,
    participant_id uuid not null,
    incident_number text not null,
    place text,
    facts text,
    name text,
    birth_date date,
    charges jsonb not null,
    overrides jsonb not null,
    released_at timestamptz,
    non_return_until timestamptz,
    extended_until date,
    notices jsonb not null
);

-- Participant (granted): A participant whose ROI names this department.
create table police.granted_participant (
    subject_id uuid not null,
    party_id uuid not null,
    epoch bigint not null,
    until timestamptz not null,
    as_of bigint not null,
    authority uuid not null,
    shown text not null,
    place uuid not null,
    name text,
    birth_date date,
    enrolment text,
    case_manager text,
    call text,
    scope jsonb,
    purpose text
);

-- Entry (granted): What LEAD told this department.
create table police.granted_entry (
    subject_id uuid not null,
    party_id uuid not null,
    epoch bigint not null,
    until timestamptz not null,
    as_of bigint not null,
    authority uuid not null,
    shown text not null,
    occurred_at timestamptz not null,
    entry_id uuid not null,
    kind text not null,
    body jsonb not null
);
comment on schema police is 'police/2 sha256 bd65563a1794d335c9ca4048eb7ff66eb442043079c1b50c49ff839c8d886680';

alter table police.own_referral add primary key (party_id, offered_at, referral_id);
create index on police.own_referral (subject_id);
alter table police.granted_participant add primary key (party_id, place, subject_id);
create index on police.granted_participant (subject_id);
alter table police.granted_entry add primary key (party_id, subject_id, occurred_at, entry_id);
create index on police.granted_entry (subject_id);

grant usage on schema police to goldenthread_police, goldenthread_projector;

alter table police.own_referral enable row level security;
alter table police.own_referral force row level security;
create policy own on police.own_referral for select to goldenthread_police using (
    party_id = (select gate.party())
);
create policy projector on police.own_referral for all to goldenthread_projector using (true) with check (true);
grant select on police.own_referral to goldenthread_police;
grant select, insert, delete on police.own_referral to goldenthread_projector;

alter table police.granted_participant enable row level security;
alter table police.granted_participant force row level security;
create policy granted on police.granted_participant for select to goldenthread_police using (
    party_id = (select gate.party()) and until > (select site.clock()) and exists (
        select from gate.consent g
        where g.party_id = granted_participant.party_id and g.participant_id = granted_participant.subject_id
          -- Not `epoch = epoch`: the planner would hash the whole gate for a page of fifty.
          and (granted_participant.epoch - g.epoch) = 0
          and greatest(g.roi_until, g.item_until) > (select site.clock())
    )
);
create policy projector on police.granted_participant for all to goldenthread_projector using (true) with check (true);
grant select on police.granted_participant to goldenthread_police;
grant select, insert, delete on police.granted_participant to goldenthread_projector;

alter table police.granted_entry enable row level security;
alter table police.granted_entry force row level security;
create policy granted on police.granted_entry for select to goldenthread_police using (
    party_id = (select gate.party()) and until > (select site.clock()) and exists (
        select from gate.consent g
        where g.party_id = granted_entry.party_id and g.participant_id = granted_entry.subject_id
          -- Not `epoch = epoch`: the planner would hash the whole gate for a page of fifty.
          and (granted_entry.epoch - g.epoch) = 0
          and greatest(g.roi_until, g.item_until) > (select site.clock())
    )
);
create policy projector on police.granted_entry for all to goldenthread_projector using (true) with check (true);
grant select on police.granted_entry to goldenthread_police;
grant select, insert, delete on police.granted_entry to goldenthread_projector;

insert into log.view (name, position) values ('police', 0) on conflict (name) do update set position = 0;
delete from log.parked where view = 'police';
