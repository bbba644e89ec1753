-- Generated from the models of projections.counsel, not edited: python -m adapters.postgres.tables
-- Run by `migrate` when it differs from what the schema's comment says. The projector then computes every row again.
drop schema if exists counsel cascade;
create schema counsel;

-- Client (granted): A participant whose authority this counsel has. `roi`: the ROI that stands, for counsel to revoke.
create table counsel.client (
    subject_id uuid not null,
    party_id uuid not null,
    epoch bigint not null,
    until timestamptz not null,
    as_of bigint not null,
    authority uuid not null,
    shown text not null,
    name text,
    birth_date date,
    phone text,
    enrolment text,
    case_manager text,
    call text,
    roi uuid,
    authority_labels jsonb not null
);

-- Entry (granted): One event of the client's history, as far as the authority goes. `agency`: whose action a finding is about.
create table counsel.entry (
    subject_id uuid not null,
    party_id uuid not null,
    epoch bigint not null,
    until timestamptz not null,
    as_of bigint not null,
    authority uuid not null,
    shown text not null,
    occurred_at timestamptz not null,
    entry_id uuid not null,
    stream_id uuid not null,
    matter_id uuid,
    kind text not null,
    agency_id uuid,
    body jsonb not null
);

-- Ask (own): What this party asked or told, as it sent it.
create table counsel.own_ask (
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

-- Concern (own): A concern that this counsel raised, and its answer.
create table counsel.own_concern (
    subject_id uuid not null,
    party_id uuid not null,
    raised_at timestamptz not null,
    concern_id uuid not null,
    participant_id uuid,
    text text,
    answered_at timestamptz,
    answer text
);

-- CounselReferral (own): A referral that this counsel made; without the name, which reaches counsel by the client's authority alone.
create table counsel.own_referral (
    subject_id uuid not null,
    party_id uuid not null,
    referred_at timestamptz not null,
    referral_id uuid not null,
    description text not null,
    place text,
    reason text not null
);

-- Recipient (granted): What the client's consent gives one party now.
create table counsel.recipient (
    subject_id uuid not null,
    party_id uuid not null,
    epoch bigint not null,
    until timestamptz not null,
    as_of bigint not null,
    authority uuid not null,
    shown text not null,
    recipient_id uuid not null,
    labels jsonb not null,
    purpose text not null,
    covers_from timestamptz,
    ends_at timestamptz,
    items bigint not null
);

-- Task (granted): Something to do for the client, as far as the authority lets counsel know of it.
create table counsel.task (
    subject_id uuid not null,
    party_id uuid not null,
    epoch bigint not null,
    until timestamptz not null,
    as_of bigint not null,
    authority uuid not null,
    shown text not null,
    due_at timestamptz not null,
    task_id uuid not null,
    kind text not null,
    incident_number text not null
);

select site.keep_no_statistics('counsel');
comment on schema counsel is 'counsel/10 sha256 89c923226401303bdd7eaf372e0e2642cdb215a319c567fe6d32a53fcfff6e6f';

alter table counsel.client add primary key (party_id, subject_id);
create index on counsel.client (subject_id, party_id);
alter table counsel.entry add primary key (party_id, subject_id, occurred_at, entry_id);
create index on counsel.entry (subject_id, party_id);
alter table counsel.own_ask add primary key (party_id, asked_at, ask_id);
create index on counsel.own_ask (subject_id, party_id);
alter table counsel.own_concern add primary key (party_id, raised_at, concern_id);
create index on counsel.own_concern (subject_id, party_id);
alter table counsel.own_referral add primary key (party_id, referred_at, referral_id);
create index on counsel.own_referral (subject_id, party_id);
alter table counsel.recipient add primary key (party_id, subject_id, recipient_id);
create index on counsel.recipient (subject_id, party_id);
alter table counsel.task add primary key (party_id, due_at, task_id);
create index on counsel.task (subject_id, party_id);

grant usage on schema counsel to goldenthread_counsel, goldenthread_projector;

alter table counsel.client enable row level security;
alter table counsel.client force row level security;
create policy granted on counsel.client for select to goldenthread_counsel using (
    (select gate.party()) is not null and party_id = (select gate.party()) and until > (select site.clock()) and exists (
        select from gate.consent g
        where g.party_id = client.party_id and g.participant_id = client.subject_id
          -- Not `epoch = epoch`: the planner would hash the whole gate for a page of fifty.
          and (client.epoch - g.epoch) = 0
          and greatest(g.roi_until, g.item_until) > (select site.clock())
    )
);
create policy projector on counsel.client for all to goldenthread_projector using (true) with check (true);
grant select on counsel.client to goldenthread_counsel;
grant select, insert, delete on counsel.client to goldenthread_projector;

alter table counsel.entry enable row level security;
alter table counsel.entry force row level security;
create policy granted on counsel.entry for select to goldenthread_counsel using (
    (select gate.party()) is not null and party_id = (select gate.party()) and until > (select site.clock()) and exists (
        select from gate.consent g
        where g.party_id = entry.party_id and g.participant_id = entry.subject_id
          -- Not `epoch = epoch`: the planner would hash the whole gate for a page of fifty.
          and (entry.epoch - g.epoch) = 0
          and greatest(g.roi_until, g.item_until) > (select site.clock())
    )
);
create policy projector on counsel.entry for all to goldenthread_projector using (true) with check (true);
grant select on counsel.entry to goldenthread_counsel;
grant select, insert, delete on counsel.entry to goldenthread_projector;

alter table counsel.own_ask enable row level security;
alter table counsel.own_ask force row level security;
create policy own on counsel.own_ask for select to goldenthread_counsel using (
    (select gate.party()) is not null and party_id = (select gate.party())
);
create policy projector on counsel.own_ask for all to goldenthread_projector using (true) with check (true);
grant select on counsel.own_ask to goldenthread_counsel;
grant select, insert, delete on counsel.own_ask to goldenthread_projector;

alter table counsel.own_concern enable row level security;
alter table counsel.own_concern force row level security;
create policy own on counsel.own_concern for select to goldenthread_counsel using (
    (select gate.party()) is not null and party_id = (select gate.party())
);
create policy projector on counsel.own_concern for all to goldenthread_projector using (true) with check (true);
grant select on counsel.own_concern to goldenthread_counsel;
grant select, insert, delete on counsel.own_concern to goldenthread_projector;

alter table counsel.own_referral enable row level security;
alter table counsel.own_referral force row level security;
create policy own on counsel.own_referral for select to goldenthread_counsel using (
    (select gate.party()) is not null and party_id = (select gate.party())
);
create policy projector on counsel.own_referral for all to goldenthread_projector using (true) with check (true);
grant select on counsel.own_referral to goldenthread_counsel;
grant select, insert, delete on counsel.own_referral to goldenthread_projector;

alter table counsel.recipient enable row level security;
alter table counsel.recipient force row level security;
create policy granted on counsel.recipient for select to goldenthread_counsel using (
    (select gate.party()) is not null and party_id = (select gate.party()) and until > (select site.clock()) and exists (
        select from gate.consent g
        where g.party_id = recipient.party_id and g.participant_id = recipient.subject_id
          -- Not `epoch = epoch`: the planner would hash the whole gate for a page of fifty.
          and (recipient.epoch - g.epoch) = 0
          and greatest(g.roi_until, g.item_until) > (select site.clock())
    )
);
create policy projector on counsel.recipient for all to goldenthread_projector using (true) with check (true);
grant select on counsel.recipient to goldenthread_counsel;
grant select, insert, delete on counsel.recipient to goldenthread_projector;

alter table counsel.task enable row level security;
alter table counsel.task force row level security;
create policy granted on counsel.task for select to goldenthread_counsel using (
    (select gate.party()) is not null and party_id = (select gate.party()) and until > (select site.clock()) and exists (
        select from gate.consent g
        where g.party_id = task.party_id and g.participant_id = task.subject_id
          -- Not `epoch = epoch`: the planner would hash the whole gate for a page of fifty.
          and (task.epoch - g.epoch) = 0
          and greatest(g.roi_until, g.item_until) > (select site.clock())
    )
);
create policy projector on counsel.task for all to goldenthread_projector using (true) with check (true);
grant select on counsel.task to goldenthread_counsel;
grant select, insert, delete on counsel.task to goldenthread_projector;

insert into log.view (name, position) values ('counsel', 0) on conflict (name) do update set position = 0;
delete from log.parked where view = 'counsel';
