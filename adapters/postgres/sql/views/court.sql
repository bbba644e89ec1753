-- Generated from the models of projections.court, not edited: python -m adapters.postgres.tables
-- Run by `migrate` when it differs from what the schema's comment says. The projector then computes every row again.
drop schema if exists court cascade;
create schema court;

-- Participant (granted): A participant whose ROI names this office.
create table court.granted_participant (
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

-- Entry (granted): What LEAD told this office.
create table court.granted_entry (
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
comment on schema court is 'court/2 sha256 146cb6722357a7122c35d8a472a153c02d20f86f9ab57f4af26a26e824a21803';

alter table court.granted_participant add primary key (party_id, place, subject_id);
create index on court.granted_participant (subject_id);
alter table court.granted_entry add primary key (party_id, subject_id, occurred_at, entry_id);
create index on court.granted_entry (subject_id);

grant usage on schema court to goldenthread_court, goldenthread_projector;

alter table court.granted_participant enable row level security;
alter table court.granted_participant force row level security;
create policy granted on court.granted_participant for select to goldenthread_court using (
    party_id = (select gate.party()) and until > (select site.clock()) and exists (
        select from gate.consent g
        where g.party_id = granted_participant.party_id and g.participant_id = granted_participant.subject_id
          -- Not `epoch = epoch`: the planner would hash the whole gate for a page of fifty.
          and (granted_participant.epoch - g.epoch) = 0
          and greatest(g.roi_until, g.item_until) > (select site.clock())
    )
);
create policy projector on court.granted_participant for all to goldenthread_projector using (true) with check (true);
grant select on court.granted_participant to goldenthread_court;
grant select, insert, delete on court.granted_participant to goldenthread_projector;

alter table court.granted_entry enable row level security;
alter table court.granted_entry force row level security;
create policy granted on court.granted_entry for select to goldenthread_court using (
    party_id = (select gate.party()) and until > (select site.clock()) and exists (
        select from gate.consent g
        where g.party_id = granted_entry.party_id and g.participant_id = granted_entry.subject_id
          -- Not `epoch = epoch`: the planner would hash the whole gate for a page of fifty.
          and (granted_entry.epoch - g.epoch) = 0
          and greatest(g.roi_until, g.item_until) > (select site.clock())
    )
);
create policy projector on court.granted_entry for all to goldenthread_projector using (true) with check (true);
grant select on court.granted_entry to goldenthread_court;
grant select, insert, delete on court.granted_entry to goldenthread_projector;

insert into log.view (name, position) values ('court', 0) on conflict (name) do update set position = 0;
delete from log.parked where view = 'court';
