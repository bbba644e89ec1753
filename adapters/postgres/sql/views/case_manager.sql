-- Generated from the models of projections.case_manager, not edited: python -m adapters.postgres.tables
-- Run by `migrate` when it differs from what the schema's comment says. The projector then computes every row again.
drop schema if exists case_manager cascade;
create schema case_manager;

-- Ask (role): What a partner asked or told, for the team to take up.
create table case_manager.ask (
    subject_id uuid not null,
    as_of bigint not null,
    asked_at timestamptz not null,
    ask_id uuid not null,
    from_id uuid not null,
    about_id uuid,
    kind text,
    name text,
    birth_date date,
    text text,
    handled_at timestamptz,
    handled text
);

-- Duty (role): When someone of the team is on call.
create table case_manager.duty (
    subject_id uuid not null,
    as_of bigint not null,
    staff_id uuid not null,
    begins_at timestamptz not null,
    ends_at timestamptz not null
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

-- Match (role): An agency's record that may be this participant's: a supervisor decides. It says in what the two agree.
create table case_manager.match (
    subject_id uuid not null,
    as_of bigint not null,
    score bigint not null,
    match_id uuid not null,
    matter_id uuid not null,
    agency_id uuid not null,
    proposed_at timestamptz not null,
    sid text not null,
    birth_date text not null,
    likeness bigint not null,
    number boolean not null
);

-- MatchRecord (role): Whom the record of a match names, and nothing else that it says: until it is linked, it may be a stranger's.
create table case_manager.match_record (
    subject_id uuid not null,
    as_of bigint not null,
    match_id uuid not null,
    name text not null,
    born date,
    sid text,
    shown text not null
);

-- Participant (role): A person whom the team carries or may come to carry.
create table case_manager.participant (
    subject_id uuid not null,
    as_of bigint not null,
    name text not null,
    birth_date date,
    other_names jsonb,
    phone text,
    phone_is_shared boolean,
    found_at text,
    enrolment text not null,
    enrolled_at timestamptz,
    status_since timestamptz,
    ground text,
    merged_into uuid,
    plan_review_at timestamptz,
    carried_by uuid,
    case_manager text,
    covered_by uuid,
    covered_from timestamptz,
    covered_until timestamptz,
    intake_due_on date,
    roi uuid,
    roi_until timestamptz
);

-- PlanEntry (role): One sentence of a participant's plan as it stands. `goal`: the goal that a step leads to.
create table case_manager.plan_entry (
    subject_id uuid not null,
    as_of bigint not null,
    noted_at timestamptz not null,
    plan_entry uuid not null,
    kind text not null,
    text text not null,
    dimension text,
    ended text,
    measure text,
    goal uuid,
    shown text not null
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

-- Task (role): Something to do for a participant. `about`: the referral or case that it concerns.
create table case_manager.task (
    subject_id uuid not null,
    as_of bigint not null,
    due_at timestamptz not null,
    task_id uuid not null,
    kind text not null,
    name text not null,
    carried_by uuid,
    about uuid,
    incident_number text
);

select site.keep_no_statistics('case_manager');
comment on schema case_manager is 'case_manager/12 sha256 b35613f2888caa9efe05c80fa73cc8d70de2c47ba5a1119be11011c9e80a83d2';

alter table case_manager.ask add primary key (asked_at, ask_id);
create index on case_manager.ask (subject_id, asked_at);
alter table case_manager.duty add primary key (begins_at, staff_id);
create index on case_manager.duty (subject_id, begins_at);
alter table case_manager.entry add primary key (subject_id, occurred_at, entry_id);
alter table case_manager.match add primary key (score, match_id);
create index on case_manager.match (subject_id, score);
alter table case_manager.match_record add primary key (match_id);
create index on case_manager.match_record (subject_id, match_id);
alter table case_manager.participant add primary key (name, subject_id);
create index on case_manager.participant (subject_id, name);
alter table case_manager.plan_entry add primary key (subject_id, noted_at, plan_entry, kind);
alter table case_manager.recipient add primary key (subject_id, party_id);
alter table case_manager.referral add primary key (referred_at, referral_id);
create index on case_manager.referral (subject_id, referred_at);
alter table case_manager.task add primary key (due_at, task_id);
create index on case_manager.task (subject_id, due_at);

grant usage on schema case_manager to goldenthread_case_manager, goldenthread_projector;

alter table case_manager.ask enable row level security;
alter table case_manager.ask force row level security;
create policy role on case_manager.ask for select to goldenthread_case_manager using (
    (select gate.party()) is not null and asked_at >= (select '-infinity'::timestamptz where gate.party() is not null)
);
create policy projector on case_manager.ask for all to goldenthread_projector using (true) with check (true);
grant select on case_manager.ask to goldenthread_case_manager;
grant select, insert, delete on case_manager.ask to goldenthread_projector;

alter table case_manager.duty enable row level security;
alter table case_manager.duty force row level security;
create policy role on case_manager.duty for select to goldenthread_case_manager using (
    (select gate.party()) is not null and begins_at >= (select '-infinity'::timestamptz where gate.party() is not null)
);
create policy projector on case_manager.duty for all to goldenthread_projector using (true) with check (true);
grant select on case_manager.duty to goldenthread_case_manager;
grant select, insert, delete on case_manager.duty to goldenthread_projector;

alter table case_manager.entry enable row level security;
alter table case_manager.entry force row level security;
create policy role on case_manager.entry for select to goldenthread_case_manager using (
    (select gate.party()) is not null and subject_id >= (select '00000000-0000-0000-0000-000000000000'::uuid where gate.party() is not null)
);
create policy projector on case_manager.entry for all to goldenthread_projector using (true) with check (true);
grant select on case_manager.entry to goldenthread_case_manager;
grant select, insert, delete on case_manager.entry to goldenthread_projector;

alter table case_manager.match enable row level security;
alter table case_manager.match force row level security;
create policy role on case_manager.match for select to goldenthread_case_manager using (
    (select gate.party()) is not null and score >= (select '-9223372036854775808'::bigint where gate.party() is not null)
);
create policy projector on case_manager.match for all to goldenthread_projector using (true) with check (true);
grant select on case_manager.match to goldenthread_case_manager;
grant select, insert, delete on case_manager.match to goldenthread_projector;

alter table case_manager.match_record enable row level security;
alter table case_manager.match_record force row level security;
create policy role on case_manager.match_record for select to goldenthread_case_manager using (
    (select gate.party()) is not null and match_id >= (select '00000000-0000-0000-0000-000000000000'::uuid where gate.party() is not null)
);
create policy projector on case_manager.match_record for all to goldenthread_projector using (true) with check (true);
grant select on case_manager.match_record to goldenthread_case_manager;
grant select, insert, delete on case_manager.match_record to goldenthread_projector;

alter table case_manager.participant enable row level security;
alter table case_manager.participant force row level security;
create policy role on case_manager.participant for select to goldenthread_case_manager using (
    (select gate.party()) is not null and name >= (select '' where gate.party() is not null)
);
create policy projector on case_manager.participant for all to goldenthread_projector using (true) with check (true);
grant select on case_manager.participant to goldenthread_case_manager;
grant select, insert, delete on case_manager.participant to goldenthread_projector;

alter table case_manager.plan_entry enable row level security;
alter table case_manager.plan_entry force row level security;
create policy role on case_manager.plan_entry for select to goldenthread_case_manager using (
    (select gate.party()) is not null and subject_id >= (select '00000000-0000-0000-0000-000000000000'::uuid where gate.party() is not null)
);
create policy projector on case_manager.plan_entry for all to goldenthread_projector using (true) with check (true);
grant select on case_manager.plan_entry to goldenthread_case_manager;
grant select, insert, delete on case_manager.plan_entry to goldenthread_projector;

alter table case_manager.recipient enable row level security;
alter table case_manager.recipient force row level security;
create policy role on case_manager.recipient for select to goldenthread_case_manager using (
    (select gate.party()) is not null and subject_id >= (select '00000000-0000-0000-0000-000000000000'::uuid where gate.party() is not null)
);
create policy projector on case_manager.recipient for all to goldenthread_projector using (true) with check (true);
grant select on case_manager.recipient to goldenthread_case_manager;
grant select, insert, delete on case_manager.recipient to goldenthread_projector;

alter table case_manager.referral enable row level security;
alter table case_manager.referral force row level security;
create policy role on case_manager.referral for select to goldenthread_case_manager using (
    (select gate.party()) is not null and referred_at >= (select '-infinity'::timestamptz where gate.party() is not null)
);
create policy projector on case_manager.referral for all to goldenthread_projector using (true) with check (true);
grant select on case_manager.referral to goldenthread_case_manager;
grant select, insert, delete on case_manager.referral to goldenthread_projector;

alter table case_manager.task enable row level security;
alter table case_manager.task force row level security;
create policy role on case_manager.task for select to goldenthread_case_manager using (
    (select gate.party()) is not null and due_at >= (select '-infinity'::timestamptz where gate.party() is not null)
);
create policy projector on case_manager.task for all to goldenthread_projector using (true) with check (true);
grant select on case_manager.task to goldenthread_case_manager;
grant select, insert, delete on case_manager.task to goldenthread_projector;

insert into log.view (name, position) values ('case_manager', 0) on conflict (name) do update set position = 0;
delete from log.parked where view = 'case_manager';
