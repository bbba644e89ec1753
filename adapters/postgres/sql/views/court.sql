-- Generated from the models of projections.court, not edited: python -m adapters.postgres.tables
-- Run by `migrate` when it differs from what the schema's comment says. The projector then computes every row again.
drop schema if exists court cascade;
create schema court;

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

-- Ask (own): What this party asked or told, as it sent it.
create table court.own_ask (
    subject_id uuid not null,
    party_id uuid not null,
    asked_at timestamptz not null,
    ask_id uuid not null,
    participant_id uuid,
    kind text,
    name text,
    birth_date date,
    text text
);

-- CourtReferral (own): A referral that this court or probation office made, as it made it.
create table court.own_referral (
    subject_id uuid not null,
    party_id uuid not null,
    referred_at timestamptz not null,
    referral_id uuid not null,
    description text not null,
    name text,
    birth_date date,
    place text,
    reason text not null
);

-- OwnViolation (own): A violation that this office alleged.
create table court.own_violation (
    subject_id uuid not null,
    party_id uuid not null,
    alleged_at timestamptz not null,
    violation_id uuid not null,
    participant_id uuid not null,
    report_number text,
    docket text,
    condition text,
    violated_on date,
    source text,
    source_number text,
    source_on date
);

-- PublicCase (public): A case on a court's docket.
create table court.public_case (
    subject_id uuid not null,
    docket text not null,
    case_id uuid not null,
    court_id uuid not null,
    court text,
    defendant text,
    birth_date date,
    charges jsonb not null,
    filed_on date,
    next_hearing timestamptz,
    orders jsonb not null,
    disposition text,
    disposed_on date
);

-- PublicHearing (public): A hearing on a court's docket.
create table court.public_hearing (
    subject_id uuid not null,
    starts_at timestamptz not null,
    hearing_id uuid not null,
    case_id uuid not null,
    court_id uuid not null,
    docket text not null,
    kind text,
    courtroom text,
    outcome text
);

-- PublicWarrant (public): A warrant that a court issued.
create table court.public_warrant (
    subject_id uuid not null,
    issued_on date not null,
    warrant_id uuid not null,
    court_id uuid not null,
    number text not null,
    kind text,
    court text,
    defendant text,
    birth_date date,
    docket text,
    state text not null,
    ended_on date
);

select site.keep_no_statistics('court');
comment on schema court is 'court/10 sha256 311af25e2691214d4325f0c3098c42ea1d04bca2be3cbf4c136cea4d06e9c0dd';

alter table court.granted_entry add primary key (party_id, subject_id, occurred_at, entry_id);
create index on court.granted_entry (subject_id, party_id);
alter table court.granted_participant add primary key (party_id, place, subject_id);
create index on court.granted_participant (subject_id, party_id);
alter table court.own_ask add primary key (party_id, asked_at, ask_id);
create index on court.own_ask (subject_id, party_id);
alter table court.own_referral add primary key (party_id, referred_at, referral_id);
create index on court.own_referral (subject_id, party_id);
alter table court.own_violation add primary key (party_id, alleged_at, violation_id);
create index on court.own_violation (subject_id, party_id);
alter table court.public_case add primary key (docket, case_id);
create index on court.public_case (subject_id, docket);
alter table court.public_hearing add primary key (starts_at, hearing_id);
create index on court.public_hearing (subject_id, starts_at);
alter table court.public_warrant add primary key (issued_on, warrant_id);
create index on court.public_warrant (subject_id, issued_on);

grant usage on schema court to goldenthread_court, goldenthread_projector;

alter table court.granted_entry enable row level security;
alter table court.granted_entry force row level security;
create policy granted on court.granted_entry for select to goldenthread_court using (
    (select gate.party()) is not null and party_id = (select gate.party()) and until > (select site.clock()) and exists (
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

alter table court.granted_participant enable row level security;
alter table court.granted_participant force row level security;
create policy granted on court.granted_participant for select to goldenthread_court using (
    (select gate.party()) is not null and party_id = (select gate.party()) and until > (select site.clock()) and exists (
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

alter table court.own_ask enable row level security;
alter table court.own_ask force row level security;
create policy own on court.own_ask for select to goldenthread_court using (
    (select gate.party()) is not null and party_id = (select gate.party())
);
create policy projector on court.own_ask for all to goldenthread_projector using (true) with check (true);
grant select on court.own_ask to goldenthread_court;
grant select, insert, delete on court.own_ask to goldenthread_projector;

alter table court.own_referral enable row level security;
alter table court.own_referral force row level security;
create policy own on court.own_referral for select to goldenthread_court using (
    (select gate.party()) is not null and party_id = (select gate.party())
);
create policy projector on court.own_referral for all to goldenthread_projector using (true) with check (true);
grant select on court.own_referral to goldenthread_court;
grant select, insert, delete on court.own_referral to goldenthread_projector;

alter table court.own_violation enable row level security;
alter table court.own_violation force row level security;
create policy own on court.own_violation for select to goldenthread_court using (
    (select gate.party()) is not null and party_id = (select gate.party())
);
create policy projector on court.own_violation for all to goldenthread_projector using (true) with check (true);
grant select on court.own_violation to goldenthread_court;
grant select, insert, delete on court.own_violation to goldenthread_projector;

alter table court.public_case enable row level security;
alter table court.public_case force row level security;
create policy public on court.public_case for select to goldenthread_court using (
    (select gate.party()) is not null and docket >= (select '' where gate.party() is not null)
);
create policy projector on court.public_case for all to goldenthread_projector using (true) with check (true);
grant select on court.public_case to goldenthread_court;
grant select, insert, delete on court.public_case to goldenthread_projector;

alter table court.public_hearing enable row level security;
alter table court.public_hearing force row level security;
create policy public on court.public_hearing for select to goldenthread_court using (
    (select gate.party()) is not null and starts_at >= (select '-infinity'::timestamptz where gate.party() is not null)
);
create policy projector on court.public_hearing for all to goldenthread_projector using (true) with check (true);
grant select on court.public_hearing to goldenthread_court;
grant select, insert, delete on court.public_hearing to goldenthread_projector;

alter table court.public_warrant enable row level security;
alter table court.public_warrant force row level security;
create policy public on court.public_warrant for select to goldenthread_court using (
    (select gate.party()) is not null and issued_on >= (select '-infinity'::date where gate.party() is not null)
);
create policy projector on court.public_warrant for all to goldenthread_projector using (true) with check (true);
grant select on court.public_warrant to goldenthread_court;
grant select, insert, delete on court.public_warrant to goldenthread_projector;

insert into log.view (name, position) values ('court', 0) on conflict (name) do update set position = 0;
delete from log.parked where view = 'court';
