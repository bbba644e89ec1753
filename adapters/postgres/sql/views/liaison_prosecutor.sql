-- Generated from the models of projections.liaison_prosecutor, not edited: python -m adapters.postgres.tables
-- Run by `migrate` when it differs from what the schema's comment says. The projector then computes every row again.
drop schema if exists liaison_prosecutor cascade;
create schema liaison_prosecutor;

-- OwnCase (own): A case that this office filed, whether or not its defendant is in LEAD.
create table liaison_prosecutor.own_case (
    subject_id uuid not null,
    party_id uuid not null,
    filed_on date not null,
    case_id uuid not null,
    participant_id uuid,
    docket text not null,
    defendant text,
    birth_date date,
    charges jsonb not null,
    incident_number text,
    offense_on date,
    arrested_on date,
    received_at timestamptz,
    last_decision text
);

-- OwnDecision (own): A decision of this office.
create table liaison_prosecutor.own_decision (
    subject_id uuid not null,
    party_id uuid not null,
    decided_at timestamptz not null,
    decision_id uuid not null,
    case_id uuid not null,
    kind text,
    reason text,
    ceiling text,
    source text,
    note text
);

-- OwnNotice (own): A closed code that this office was sent; once sent, it is the office's own.
create table liaison_prosecutor.own_notice (
    subject_id uuid not null,
    party_id uuid not null,
    sent_at timestamptz not null,
    notice_id uuid not null,
    participant_id uuid not null,
    code text,
    until_day date,
    incident_number text,
    charge_code text
);

-- Participant (granted): A participant whose ROI names this office.
create table liaison_prosecutor.granted_participant (
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
create table liaison_prosecutor.granted_entry (
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
comment on schema liaison_prosecutor is 'liaison_prosecutor/2 sha256 0279bdaa433366769bd184bf2b81a9923906271911dc4d4b1941636852fc095b';

alter table liaison_prosecutor.own_case add primary key (party_id, filed_on, case_id);
create index on liaison_prosecutor.own_case (subject_id);
alter table liaison_prosecutor.own_decision add primary key (party_id, decided_at, decision_id);
create index on liaison_prosecutor.own_decision (subject_id);
alter table liaison_prosecutor.own_notice add primary key (party_id, sent_at, notice_id);
create index on liaison_prosecutor.own_notice (subject_id);
alter table liaison_prosecutor.granted_participant add primary key (party_id, place, subject_id);
create index on liaison_prosecutor.granted_participant (subject_id);
alter table liaison_prosecutor.granted_entry add primary key (party_id, subject_id, occurred_at, entry_id);
create index on liaison_prosecutor.granted_entry (subject_id);

grant usage on schema liaison_prosecutor to goldenthread_liaison_prosecutor, goldenthread_projector;

alter table liaison_prosecutor.own_case enable row level security;
alter table liaison_prosecutor.own_case force row level security;
create policy own on liaison_prosecutor.own_case for select to goldenthread_liaison_prosecutor using (
    party_id = (select gate.party())
);
create policy projector on liaison_prosecutor.own_case for all to goldenthread_projector using (true) with check (true);
grant select on liaison_prosecutor.own_case to goldenthread_liaison_prosecutor;
grant select, insert, delete on liaison_prosecutor.own_case to goldenthread_projector;

alter table liaison_prosecutor.own_decision enable row level security;
alter table liaison_prosecutor.own_decision force row level security;
create policy own on liaison_prosecutor.own_decision for select to goldenthread_liaison_prosecutor using (
    party_id = (select gate.party())
);
create policy projector on liaison_prosecutor.own_decision for all to goldenthread_projector using (true) with check (true);
grant select on liaison_prosecutor.own_decision to goldenthread_liaison_prosecutor;
grant select, insert, delete on liaison_prosecutor.own_decision to goldenthread_projector;

alter table liaison_prosecutor.own_notice enable row level security;
alter table liaison_prosecutor.own_notice force row level security;
create policy own on liaison_prosecutor.own_notice for select to goldenthread_liaison_prosecutor using (
    party_id = (select gate.party())
);
create policy projector on liaison_prosecutor.own_notice for all to goldenthread_projector using (true) with check (true);
grant select on liaison_prosecutor.own_notice to goldenthread_liaison_prosecutor;
grant select, insert, delete on liaison_prosecutor.own_notice to goldenthread_projector;

alter table liaison_prosecutor.granted_participant enable row level security;
alter table liaison_prosecutor.granted_participant force row level security;
create policy granted on liaison_prosecutor.granted_participant for select to goldenthread_liaison_prosecutor using (
    party_id = (select gate.party()) and until > (select site.clock()) and exists (
        select from gate.consent g
        where g.party_id = granted_participant.party_id and g.participant_id = granted_participant.subject_id
          -- Not `epoch = epoch`: the planner would hash the whole gate for a page of fifty.
          and (granted_participant.epoch - g.epoch) = 0
          and greatest(g.roi_until, g.item_until) > (select site.clock())
    )
);
create policy projector on liaison_prosecutor.granted_participant for all to goldenthread_projector using (true) with check (true);
grant select on liaison_prosecutor.granted_participant to goldenthread_liaison_prosecutor;
grant select, insert, delete on liaison_prosecutor.granted_participant to goldenthread_projector;

alter table liaison_prosecutor.granted_entry enable row level security;
alter table liaison_prosecutor.granted_entry force row level security;
create policy granted on liaison_prosecutor.granted_entry for select to goldenthread_liaison_prosecutor using (
    party_id = (select gate.party()) and until > (select site.clock()) and exists (
        select from gate.consent g
        where g.party_id = granted_entry.party_id and g.participant_id = granted_entry.subject_id
          -- Not `epoch = epoch`: the planner would hash the whole gate for a page of fifty.
          and (granted_entry.epoch - g.epoch) = 0
          and greatest(g.roi_until, g.item_until) > (select site.clock())
    )
);
create policy projector on liaison_prosecutor.granted_entry for all to goldenthread_projector using (true) with check (true);
grant select on liaison_prosecutor.granted_entry to goldenthread_liaison_prosecutor;
grant select, insert, delete on liaison_prosecutor.granted_entry to goldenthread_projector;

insert into log.view (name, position) values ('liaison_prosecutor', 0) on conflict (name) do update set position = 0;
delete from log.parked where view = 'liaison_prosecutor';
