-- Generated from the models of projections.program, not edited: python -m adapters.postgres.tables
-- Run by `migrate` when it differs from what the schema's comment says. The projector then computes every row again.
drop schema if exists program cascade;
create schema program;

-- Concern (role): A concern of a defender's office or counsel, to be answered on the record.
create table program.concern (
    subject_id uuid not null,
    as_of bigint not null,
    raised_at timestamptz not null,
    concern_id uuid not null,
    from_id uuid not null,
    about_id uuid,
    text text,
    answered_at timestamptz,
    answer text
);

-- Deadline (role): A deadline of an arrest diversion: the warm handoff's, or the intake's as it stands.
create table program.deadline (
    subject_id uuid not null,
    as_of bigint not null,
    due_at timestamptz not null,
    deadline_id uuid not null,
    referral_id uuid not null,
    department uuid not null,
    kind text not null,
    stands text not null,
    minutes bigint,
    incident_number text not null,
    protocol_version text not null
);

-- Duty (role): When someone is on call.
create table program.duty (
    subject_id uuid not null,
    as_of bigint not null,
    staff_id uuid not null,
    begins_at timestamptz not null,
    ends_at timestamptz not null
);

-- ProgramFinding (role): A finding, to the project manager.
create table program.finding (
    subject_id uuid not null,
    as_of bigint not null,
    raised_at timestamptz not null,
    finding_id uuid not null,
    agency_id uuid not null,
    person_id uuid,
    action text not null,
    acted_at timestamptz not null,
    incident_on date,
    pre_enrolment_incident boolean not null,
    latched_charge boolean not null,
    verdict text not null,
    raised_as text not null,
    alarm boolean not null,
    person_was_shown jsonb not null,
    agency_was_shown jsonb not null,
    source jsonb,
    answer jsonb,
    unanswered_since timestamptz,
    within_protocol boolean not null,
    protocol_version text not null
);

-- ProgramMissedDiversion (role): A missed diversion, to the project manager.
create table program.missed_diversion (
    subject_id uuid not null,
    as_of bigint not null,
    arrested_at timestamptz not null,
    agency_id uuid not null,
    code text not null,
    precinct text,
    unit text,
    race_as_perceived text,
    protocol_version text not null,
    reason text not null
);

-- ProgramOfferNotTaken (role): An offer that was declined, to the project manager.
create table program.offer_not_taken (
    subject_id uuid not null,
    as_of bigint not null,
    arrested_at timestamptz not null,
    agency_id uuid not null,
    code text not null,
    precinct text,
    unit text,
    race_as_perceived text,
    protocol_version text not null
);

-- Place (role): A participant's place on the roster: who carries it, or, with a slot kept, nobody yet; who covers, until when.
create table program.place (
    subject_id uuid not null,
    as_of bigint not null,
    carried_by uuid,
    covered_by uuid,
    covered_from timestamptz,
    covered_until timestamptz
);

-- ProgramReferral (role): A referral by any door, as the project manager reads it.
create table program.referral (
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

-- Status (role): Where one participant stands, the dead too; records that were merged are one.
create table program.status (
    subject_id uuid not null,
    as_of bigint not null,
    status text not null
);

-- Stop (role): One stop of an administrative record, de-identified.
create table program.stop (
    subject_id uuid not null,
    as_of bigint not null,
    stopped_at timestamptz not null,
    precinct text not null,
    race_as_perceived text not null,
    arrested boolean not null
);

-- Way (role): One referral and how far it led. Race as the person says and as the officer wrote it stay apart (T:251).
create table program.way (
    subject_id uuid not null,
    as_of bigint not null,
    referral_id uuid not null,
    door text not null,
    precinct text not null,
    accepted boolean not null,
    enrolled boolean not null,
    race_self_reported text not null,
    race_as_perceived text not null
);

select site.keep_no_statistics('program');
comment on schema program is 'program/12 sha256 915b66467b7f449afdef6df62eed3f69e7649f7dc3c5176b31ab72fd718f50f4';

alter table program.concern add primary key (raised_at, concern_id);
create index on program.concern (subject_id, raised_at);
alter table program.deadline add primary key (due_at, deadline_id);
create index on program.deadline (subject_id, due_at);
alter table program.duty add primary key (begins_at, staff_id);
create index on program.duty (subject_id, begins_at);
alter table program.finding add primary key (raised_at, finding_id);
create index on program.finding (subject_id, raised_at);
alter table program.missed_diversion add primary key (arrested_at, subject_id);
create index on program.missed_diversion (subject_id, arrested_at);
alter table program.offer_not_taken add primary key (arrested_at, subject_id);
create index on program.offer_not_taken (subject_id, arrested_at);
alter table program.place add primary key (subject_id);
alter table program.referral add primary key (referred_at, referral_id);
create index on program.referral (subject_id, referred_at);
alter table program.status add primary key (subject_id);
alter table program.stop add primary key (subject_id);
alter table program.way add primary key (subject_id, referral_id);

grant usage on schema program to goldenthread_program, goldenthread_projector;

alter table program.concern enable row level security;
alter table program.concern force row level security;
create policy role on program.concern for select to goldenthread_program using (
    (select gate.party()) is not null and raised_at >= (select '-infinity'::timestamptz where gate.party() is not null)
);
create policy projector on program.concern for all to goldenthread_projector using (true) with check (true);
grant select on program.concern to goldenthread_program;
grant select, insert, delete on program.concern to goldenthread_projector;

alter table program.deadline enable row level security;
alter table program.deadline force row level security;
create policy role on program.deadline for select to goldenthread_program using (
    (select gate.party()) is not null and due_at >= (select '-infinity'::timestamptz where gate.party() is not null)
);
create policy projector on program.deadline for all to goldenthread_projector using (true) with check (true);
grant select on program.deadline to goldenthread_program;
grant select, insert, delete on program.deadline to goldenthread_projector;

alter table program.duty enable row level security;
alter table program.duty force row level security;
create policy role on program.duty for select to goldenthread_program using (
    (select gate.party()) is not null and begins_at >= (select '-infinity'::timestamptz where gate.party() is not null)
);
create policy projector on program.duty for all to goldenthread_projector using (true) with check (true);
grant select on program.duty to goldenthread_program;
grant select, insert, delete on program.duty to goldenthread_projector;

alter table program.finding enable row level security;
alter table program.finding force row level security;
create policy role on program.finding for select to goldenthread_program using (
    (select gate.party()) is not null and raised_at >= (select '-infinity'::timestamptz where gate.party() is not null)
);
create policy projector on program.finding for all to goldenthread_projector using (true) with check (true);
grant select on program.finding to goldenthread_program;
grant select, insert, delete on program.finding to goldenthread_projector;

alter table program.missed_diversion enable row level security;
alter table program.missed_diversion force row level security;
create policy role on program.missed_diversion for select to goldenthread_program using (
    (select gate.party()) is not null and arrested_at >= (select '-infinity'::timestamptz where gate.party() is not null)
);
create policy projector on program.missed_diversion for all to goldenthread_projector using (true) with check (true);
grant select on program.missed_diversion to goldenthread_program;
grant select, insert, delete on program.missed_diversion to goldenthread_projector;

alter table program.offer_not_taken enable row level security;
alter table program.offer_not_taken force row level security;
create policy role on program.offer_not_taken for select to goldenthread_program using (
    (select gate.party()) is not null and arrested_at >= (select '-infinity'::timestamptz where gate.party() is not null)
);
create policy projector on program.offer_not_taken for all to goldenthread_projector using (true) with check (true);
grant select on program.offer_not_taken to goldenthread_program;
grant select, insert, delete on program.offer_not_taken to goldenthread_projector;

alter table program.place enable row level security;
alter table program.place force row level security;
create policy role on program.place for select to goldenthread_program using (
    (select gate.party()) is not null and subject_id >= (select '00000000-0000-0000-0000-000000000000'::uuid where gate.party() is not null)
);
create policy projector on program.place for all to goldenthread_projector using (true) with check (true);
grant select on program.place to goldenthread_program;
grant select, insert, delete on program.place to goldenthread_projector;

alter table program.referral enable row level security;
alter table program.referral force row level security;
create policy role on program.referral for select to goldenthread_program using (
    (select gate.party()) is not null and referred_at >= (select '-infinity'::timestamptz where gate.party() is not null)
);
create policy projector on program.referral for all to goldenthread_projector using (true) with check (true);
grant select on program.referral to goldenthread_program;
grant select, insert, delete on program.referral to goldenthread_projector;

alter table program.status enable row level security;
alter table program.status force row level security;
create policy role on program.status for select to goldenthread_program using (
    (select gate.party()) is not null and subject_id >= (select '00000000-0000-0000-0000-000000000000'::uuid where gate.party() is not null)
);
create policy projector on program.status for all to goldenthread_projector using (true) with check (true);
grant select on program.status to goldenthread_program;
grant select, insert, delete on program.status to goldenthread_projector;

alter table program.stop enable row level security;
alter table program.stop force row level security;
create policy role on program.stop for select to goldenthread_program using (
    (select gate.party()) is not null and subject_id >= (select '00000000-0000-0000-0000-000000000000'::uuid where gate.party() is not null)
);
create policy projector on program.stop for all to goldenthread_projector using (true) with check (true);
grant select on program.stop to goldenthread_program;
grant select, insert, delete on program.stop to goldenthread_projector;

alter table program.way enable row level security;
alter table program.way force row level security;
create policy role on program.way for select to goldenthread_program using (
    (select gate.party()) is not null and subject_id >= (select '00000000-0000-0000-0000-000000000000'::uuid where gate.party() is not null)
);
create policy projector on program.way for all to goldenthread_projector using (true) with check (true);
grant select on program.way to goldenthread_program;
grant select, insert, delete on program.way to goldenthread_projector;

insert into log.view (name, position) values ('program', 0) on conflict (name) do update set position = 0;
delete from log.parked where view = 'program';
