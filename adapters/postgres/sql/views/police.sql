-- Generated from the models of projections.police, not edited: python -m adapters.postgres.tables
-- Run by `migrate` when it differs from what the schema's comment says. The projector then computes every row again.
drop schema if exists police cascade;
create schema police;

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

-- Ask (own): What this party asked or told, as it sent it.
create table police.own_ask (
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

-- OwnBooking (own): A booking that this department reported.
create table police.own_booking (
    subject_id uuid not null,
    party_id uuid not null,
    booked_at timestamptz not null,
    booking_id uuid not null,
    participant_id uuid not null,
    booking_number text,
    facility text,
    source text,
    source_number text,
    source_on date
);

-- OwnReferral (own): A referral that this department made, as it made it, with the closed codes it was sent.
create table police.own_referral (
    subject_id uuid not null,
    party_id uuid not null,
    offered_at timestamptz not null,
    referral_id uuid not null,
    participant_id uuid not null,
    door text not null,
    incident_number text,
    unit text,
    called_in_by text,
    reported_at timestamptz,
    place text,
    facts text,
    description text,
    name text,
    birth_date date,
    vetting jsonb not null,
    charges jsonb not null,
    overrides jsonb not null,
    released_at timestamptz,
    non_return_until timestamptz,
    extended_until date,
    notices jsonb not null
);

-- PublicCase (public): A case on a court's docket.
create table police.public_case (
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

-- PublicWarrant (public): A warrant that a court issued.
create table police.public_warrant (
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

select site.keep_no_statistics('police');
comment on schema police is 'police/11 sha256 0ee7a2ae3459197121743457d71c076bf2949681abf5761ca006158c32263904';

alter table police.granted_entry add primary key (party_id, subject_id, occurred_at, entry_id);
create index on police.granted_entry (subject_id, party_id);
alter table police.granted_participant add primary key (party_id, place, subject_id);
create index on police.granted_participant (subject_id, party_id);
alter table police.own_ask add primary key (party_id, asked_at, ask_id);
create index on police.own_ask (subject_id, party_id);
alter table police.own_booking add primary key (party_id, booked_at, booking_id);
create index on police.own_booking (subject_id, party_id);
alter table police.own_referral add primary key (party_id, offered_at, referral_id);
create index on police.own_referral (subject_id, party_id);
alter table police.public_case add primary key (docket, case_id);
create index on police.public_case (subject_id, docket);
alter table police.public_warrant add primary key (issued_on, warrant_id);
create index on police.public_warrant (subject_id, issued_on);

grant usage on schema police to goldenthread_police, goldenthread_projector;

alter table police.granted_entry enable row level security;
alter table police.granted_entry force row level security;
create policy granted on police.granted_entry for select to goldenthread_police using (
    (select gate.party()) is not null and party_id = (select gate.party()) and until > (select site.clock()) and exists (
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

alter table police.granted_participant enable row level security;
alter table police.granted_participant force row level security;
create policy granted on police.granted_participant for select to goldenthread_police using (
    (select gate.party()) is not null and party_id = (select gate.party()) and until > (select site.clock()) and exists (
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

alter table police.own_ask enable row level security;
alter table police.own_ask force row level security;
create policy own on police.own_ask for select to goldenthread_police using (
    (select gate.party()) is not null and party_id = (select gate.party())
);
create policy projector on police.own_ask for all to goldenthread_projector using (true) with check (true);
grant select on police.own_ask to goldenthread_police;
grant select, insert, delete on police.own_ask to goldenthread_projector;

alter table police.own_booking enable row level security;
alter table police.own_booking force row level security;
create policy own on police.own_booking for select to goldenthread_police using (
    (select gate.party()) is not null and party_id = (select gate.party())
);
create policy projector on police.own_booking for all to goldenthread_projector using (true) with check (true);
grant select on police.own_booking to goldenthread_police;
grant select, insert, delete on police.own_booking to goldenthread_projector;

alter table police.own_referral enable row level security;
alter table police.own_referral force row level security;
create policy own on police.own_referral for select to goldenthread_police using (
    (select gate.party()) is not null and party_id = (select gate.party())
);
create policy projector on police.own_referral for all to goldenthread_projector using (true) with check (true);
grant select on police.own_referral to goldenthread_police;
grant select, insert, delete on police.own_referral to goldenthread_projector;

alter table police.public_case enable row level security;
alter table police.public_case force row level security;
create policy public on police.public_case for select to goldenthread_police using (
    (select gate.party()) is not null and docket >= (select '' where gate.party() is not null)
);
create policy projector on police.public_case for all to goldenthread_projector using (true) with check (true);
grant select on police.public_case to goldenthread_police;
grant select, insert, delete on police.public_case to goldenthread_projector;

alter table police.public_warrant enable row level security;
alter table police.public_warrant force row level security;
create policy public on police.public_warrant for select to goldenthread_police using (
    (select gate.party()) is not null and issued_on >= (select '-infinity'::date where gate.party() is not null)
);
create policy projector on police.public_warrant for all to goldenthread_projector using (true) with check (true);
grant select on police.public_warrant to goldenthread_police;
grant select, insert, delete on police.public_warrant to goldenthread_projector;

insert into log.view (name, position) values ('police', 0) on conflict (name) do update set position = 0;
delete from log.parked where view = 'police';
