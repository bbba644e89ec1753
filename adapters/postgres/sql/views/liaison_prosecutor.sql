-- Generated from the models of projections.liaison_prosecutor, not edited: python -m adapters.postgres.tables
-- Run by `migrate` when it differs from what the schema's comment says. The projector then computes every row again.
drop schema if exists liaison_prosecutor cascade;
create schema liaison_prosecutor;

-- SharedCase (granted): A case of this office's own, of a participant who lets the office know of it: LEAD's column stands beside it.
create table liaison_prosecutor.granted_case (
    subject_id uuid not null,
    party_id uuid not null,
    epoch bigint not null,
    until timestamptz not null,
    as_of bigint not null,
    authority uuid not null,
    shown text not null,
    case_id uuid not null
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
    purpose text,
    enrolled_at timestamptz
);

-- Request (granted): A charge that its person's enrolment came too late for: this office is asked to decide, and has not yet.
create table liaison_prosecutor.granted_request (
    subject_id uuid not null,
    party_id uuid not null,
    epoch bigint not null,
    until timestamptz not null,
    as_of bigint not null,
    authority uuid not null,
    shown text not null,
    asked_at timestamptz not null,
    request_id uuid not null,
    charge_id uuid,
    incident_number text,
    charge_code text
);

-- Ask (own): What this party asked or told, as it sent it.
create table liaison_prosecutor.own_ask (
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
    next_hearing timestamptz,
    disposition text,
    disposed_on date,
    last_decision text,
    ceiling text,
    review_on date
);

-- OwnDate (own): A hearing of this office's that is not over, or the day on which what it put off is looked at again.
create table liaison_prosecutor.own_date (
    subject_id uuid not null,
    party_id uuid not null,
    due_at timestamptz not null,
    date_id uuid not null,
    case_id uuid not null,
    docket text,
    what text,
    courtroom text
);

-- OwnDecision (own): A decision of this office. `beyond`: the ceiling that stood before it, where it is harsher than that.
create table liaison_prosecutor.own_decision (
    subject_id uuid not null,
    party_id uuid not null,
    decided_at timestamptz not null,
    decision_id uuid not null,
    case_id uuid not null,
    kind text,
    reason text,
    ceiling text,
    beyond text,
    source text,
    note text,
    protocol_version text
);

-- OwnFinding (own): A question to this office about an action of its own, and its answer.
create table liaison_prosecutor.own_finding (
    subject_id uuid not null,
    party_id uuid not null,
    acted_at timestamptz not null,
    finding_id uuid not null,
    case_id uuid not null,
    action text,
    question text,
    answered_at timestamptz,
    answer jsonb,
    text text
);

-- OwnNotice (own): A closed code that this office was sent; once sent, it is the office's own. On `charge_id` it may decide.
create table liaison_prosecutor.own_notice (
    subject_id uuid not null,
    party_id uuid not null,
    sent_at timestamptz not null,
    notice_id uuid not null,
    participant_id uuid not null,
    charge_id uuid,
    code text,
    until_day date,
    incident_number text,
    charge_code text
);

-- OwnObligation (own): A charge that this office will not file: it was told `completed`, and that is its own (T:1183).
create table liaison_prosecutor.own_obligation (
    subject_id uuid not null,
    party_id uuid not null,
    since timestamptz not null,
    obligation_id uuid not null,
    participant_id uuid not null,
    incident_number text,
    charge_code text,
    obligation text not null
);

-- ProsecutorReferral (own): A referral that this office made, as it made it.
create table liaison_prosecutor.own_referral (
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

-- OwnWarrant (own): A warrant that this office recorded, and whether it stands.
create table liaison_prosecutor.own_warrant (
    subject_id uuid not null,
    party_id uuid not null,
    issued_on date not null,
    warrant_id uuid not null,
    participant_id uuid,
    number text,
    kind text,
    court text,
    defendant text,
    birth_date date,
    docket text,
    state text not null,
    ended_on date
);

-- PublicCase (public): A case on a court's docket.
create table liaison_prosecutor.public_case (
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
create table liaison_prosecutor.public_warrant (
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

select site.keep_no_statistics('liaison_prosecutor');
comment on schema liaison_prosecutor is 'liaison_prosecutor/13 sha256 0f725baa207ea9efc477091f84e1e3096ae188ce4550e2b6b88de2c7f299658c';

alter table liaison_prosecutor.granted_case add primary key (party_id, case_id, subject_id);
create index on liaison_prosecutor.granted_case (subject_id, party_id);
alter table liaison_prosecutor.granted_entry add primary key (party_id, subject_id, occurred_at, entry_id);
create index on liaison_prosecutor.granted_entry (subject_id, party_id);
alter table liaison_prosecutor.granted_participant add primary key (party_id, place, subject_id);
create index on liaison_prosecutor.granted_participant (subject_id, party_id);
alter table liaison_prosecutor.granted_request add primary key (party_id, asked_at, request_id);
create index on liaison_prosecutor.granted_request (subject_id, party_id);
alter table liaison_prosecutor.own_ask add primary key (party_id, asked_at, ask_id);
create index on liaison_prosecutor.own_ask (subject_id, party_id);
alter table liaison_prosecutor.own_case add primary key (party_id, filed_on, case_id);
create index on liaison_prosecutor.own_case (subject_id, party_id);
alter table liaison_prosecutor.own_date add primary key (party_id, due_at, date_id);
create index on liaison_prosecutor.own_date (subject_id, party_id);
alter table liaison_prosecutor.own_decision add primary key (party_id, decided_at, decision_id);
create index on liaison_prosecutor.own_decision (subject_id, party_id);
alter table liaison_prosecutor.own_finding add primary key (party_id, acted_at, finding_id);
create index on liaison_prosecutor.own_finding (subject_id, party_id);
alter table liaison_prosecutor.own_notice add primary key (party_id, sent_at, notice_id);
create index on liaison_prosecutor.own_notice (subject_id, party_id);
alter table liaison_prosecutor.own_obligation add primary key (party_id, since, obligation_id);
create index on liaison_prosecutor.own_obligation (subject_id, party_id);
alter table liaison_prosecutor.own_referral add primary key (party_id, referred_at, referral_id);
create index on liaison_prosecutor.own_referral (subject_id, party_id);
alter table liaison_prosecutor.own_warrant add primary key (party_id, issued_on, warrant_id);
create index on liaison_prosecutor.own_warrant (subject_id, party_id);
alter table liaison_prosecutor.public_case add primary key (docket, case_id);
create index on liaison_prosecutor.public_case (subject_id, docket);
alter table liaison_prosecutor.public_warrant add primary key (issued_on, warrant_id);
create index on liaison_prosecutor.public_warrant (subject_id, issued_on);

grant usage on schema liaison_prosecutor to goldenthread_liaison_prosecutor, goldenthread_projector;

alter table liaison_prosecutor.granted_case enable row level security;
alter table liaison_prosecutor.granted_case force row level security;
create policy granted on liaison_prosecutor.granted_case for select to goldenthread_liaison_prosecutor using (
    (select gate.party()) is not null and party_id = (select gate.party()) and until > (select site.clock()) and exists (
        select from gate.consent g
        where g.party_id = granted_case.party_id and g.participant_id = granted_case.subject_id
          -- Not `epoch = epoch`: the planner would hash the whole gate for a page of fifty.
          and (granted_case.epoch - g.epoch) = 0
          and greatest(g.roi_until, g.item_until) > (select site.clock())
    )
);
create policy projector on liaison_prosecutor.granted_case for all to goldenthread_projector using (true) with check (true);
grant select on liaison_prosecutor.granted_case to goldenthread_liaison_prosecutor;
grant select, insert, delete on liaison_prosecutor.granted_case to goldenthread_projector;

alter table liaison_prosecutor.granted_entry enable row level security;
alter table liaison_prosecutor.granted_entry force row level security;
create policy granted on liaison_prosecutor.granted_entry for select to goldenthread_liaison_prosecutor using (
    (select gate.party()) is not null and party_id = (select gate.party()) and until > (select site.clock()) and exists (
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

alter table liaison_prosecutor.granted_participant enable row level security;
alter table liaison_prosecutor.granted_participant force row level security;
create policy granted on liaison_prosecutor.granted_participant for select to goldenthread_liaison_prosecutor using (
    (select gate.party()) is not null and party_id = (select gate.party()) and until > (select site.clock()) and exists (
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

alter table liaison_prosecutor.granted_request enable row level security;
alter table liaison_prosecutor.granted_request force row level security;
create policy granted on liaison_prosecutor.granted_request for select to goldenthread_liaison_prosecutor using (
    (select gate.party()) is not null and party_id = (select gate.party()) and until > (select site.clock()) and exists (
        select from gate.consent g
        where g.party_id = granted_request.party_id and g.participant_id = granted_request.subject_id
          -- Not `epoch = epoch`: the planner would hash the whole gate for a page of fifty.
          and (granted_request.epoch - g.epoch) = 0
          and greatest(g.roi_until, g.item_until) > (select site.clock())
    )
);
create policy projector on liaison_prosecutor.granted_request for all to goldenthread_projector using (true) with check (true);
grant select on liaison_prosecutor.granted_request to goldenthread_liaison_prosecutor;
grant select, insert, delete on liaison_prosecutor.granted_request to goldenthread_projector;

alter table liaison_prosecutor.own_ask enable row level security;
alter table liaison_prosecutor.own_ask force row level security;
create policy own on liaison_prosecutor.own_ask for select to goldenthread_liaison_prosecutor using (
    (select gate.party()) is not null and party_id = (select gate.party())
);
create policy projector on liaison_prosecutor.own_ask for all to goldenthread_projector using (true) with check (true);
grant select on liaison_prosecutor.own_ask to goldenthread_liaison_prosecutor;
grant select, insert, delete on liaison_prosecutor.own_ask to goldenthread_projector;

alter table liaison_prosecutor.own_case enable row level security;
alter table liaison_prosecutor.own_case force row level security;
create policy own on liaison_prosecutor.own_case for select to goldenthread_liaison_prosecutor using (
    (select gate.party()) is not null and party_id = (select gate.party())
);
create policy projector on liaison_prosecutor.own_case for all to goldenthread_projector using (true) with check (true);
grant select on liaison_prosecutor.own_case to goldenthread_liaison_prosecutor;
grant select, insert, delete on liaison_prosecutor.own_case to goldenthread_projector;

alter table liaison_prosecutor.own_date enable row level security;
alter table liaison_prosecutor.own_date force row level security;
create policy own on liaison_prosecutor.own_date for select to goldenthread_liaison_prosecutor using (
    (select gate.party()) is not null and party_id = (select gate.party())
);
create policy projector on liaison_prosecutor.own_date for all to goldenthread_projector using (true) with check (true);
grant select on liaison_prosecutor.own_date to goldenthread_liaison_prosecutor;
grant select, insert, delete on liaison_prosecutor.own_date to goldenthread_projector;

alter table liaison_prosecutor.own_decision enable row level security;
alter table liaison_prosecutor.own_decision force row level security;
create policy own on liaison_prosecutor.own_decision for select to goldenthread_liaison_prosecutor using (
    (select gate.party()) is not null and party_id = (select gate.party())
);
create policy projector on liaison_prosecutor.own_decision for all to goldenthread_projector using (true) with check (true);
grant select on liaison_prosecutor.own_decision to goldenthread_liaison_prosecutor;
grant select, insert, delete on liaison_prosecutor.own_decision to goldenthread_projector;

alter table liaison_prosecutor.own_finding enable row level security;
alter table liaison_prosecutor.own_finding force row level security;
create policy own on liaison_prosecutor.own_finding for select to goldenthread_liaison_prosecutor using (
    (select gate.party()) is not null and party_id = (select gate.party())
);
create policy projector on liaison_prosecutor.own_finding for all to goldenthread_projector using (true) with check (true);
grant select on liaison_prosecutor.own_finding to goldenthread_liaison_prosecutor;
grant select, insert, delete on liaison_prosecutor.own_finding to goldenthread_projector;

alter table liaison_prosecutor.own_notice enable row level security;
alter table liaison_prosecutor.own_notice force row level security;
create policy own on liaison_prosecutor.own_notice for select to goldenthread_liaison_prosecutor using (
    (select gate.party()) is not null and party_id = (select gate.party())
);
create policy projector on liaison_prosecutor.own_notice for all to goldenthread_projector using (true) with check (true);
grant select on liaison_prosecutor.own_notice to goldenthread_liaison_prosecutor;
grant select, insert, delete on liaison_prosecutor.own_notice to goldenthread_projector;

alter table liaison_prosecutor.own_obligation enable row level security;
alter table liaison_prosecutor.own_obligation force row level security;
create policy own on liaison_prosecutor.own_obligation for select to goldenthread_liaison_prosecutor using (
    (select gate.party()) is not null and party_id = (select gate.party())
);
create policy projector on liaison_prosecutor.own_obligation for all to goldenthread_projector using (true) with check (true);
grant select on liaison_prosecutor.own_obligation to goldenthread_liaison_prosecutor;
grant select, insert, delete on liaison_prosecutor.own_obligation to goldenthread_projector;

alter table liaison_prosecutor.own_referral enable row level security;
alter table liaison_prosecutor.own_referral force row level security;
create policy own on liaison_prosecutor.own_referral for select to goldenthread_liaison_prosecutor using (
    (select gate.party()) is not null and party_id = (select gate.party())
);
create policy projector on liaison_prosecutor.own_referral for all to goldenthread_projector using (true) with check (true);
grant select on liaison_prosecutor.own_referral to goldenthread_liaison_prosecutor;
grant select, insert, delete on liaison_prosecutor.own_referral to goldenthread_projector;

alter table liaison_prosecutor.own_warrant enable row level security;
alter table liaison_prosecutor.own_warrant force row level security;
create policy own on liaison_prosecutor.own_warrant for select to goldenthread_liaison_prosecutor using (
    (select gate.party()) is not null and party_id = (select gate.party())
);
create policy projector on liaison_prosecutor.own_warrant for all to goldenthread_projector using (true) with check (true);
grant select on liaison_prosecutor.own_warrant to goldenthread_liaison_prosecutor;
grant select, insert, delete on liaison_prosecutor.own_warrant to goldenthread_projector;

alter table liaison_prosecutor.public_case enable row level security;
alter table liaison_prosecutor.public_case force row level security;
create policy public on liaison_prosecutor.public_case for select to goldenthread_liaison_prosecutor using (
    (select gate.party()) is not null and docket >= (select '' where gate.party() is not null)
);
create policy projector on liaison_prosecutor.public_case for all to goldenthread_projector using (true) with check (true);
grant select on liaison_prosecutor.public_case to goldenthread_liaison_prosecutor;
grant select, insert, delete on liaison_prosecutor.public_case to goldenthread_projector;

alter table liaison_prosecutor.public_warrant enable row level security;
alter table liaison_prosecutor.public_warrant force row level security;
create policy public on liaison_prosecutor.public_warrant for select to goldenthread_liaison_prosecutor using (
    (select gate.party()) is not null and issued_on >= (select '-infinity'::date where gate.party() is not null)
);
create policy projector on liaison_prosecutor.public_warrant for all to goldenthread_projector using (true) with check (true);
grant select on liaison_prosecutor.public_warrant to goldenthread_liaison_prosecutor;
grant select, insert, delete on liaison_prosecutor.public_warrant to goldenthread_projector;

insert into log.view (name, position) values ('liaison_prosecutor', 0) on conflict (name) do update set position = 0;
delete from log.parked where view = 'liaison_prosecutor';
