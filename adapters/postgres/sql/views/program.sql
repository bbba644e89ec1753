-- Generated from the models of projections.program, not edited: python -m adapters.postgres.tables
-- Run by `migrate` when it differs from what the schema's comment says. The projector then computes every row again.
drop schema if exists program cascade;
create schema program;

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
    reason text not null,
    protocol_version text not null
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
comment on schema program is 'program/2 sha256 8fd2e6fbc4c4c1b5b17e892edac464898dca96fc1b6f81c6cf9d4f8b6bc88c59';

alter table program.finding add primary key (raised_at, finding_id);
create index on program.finding (subject_id);
alter table program.missed_diversion add primary key (arrested_at, subject_id);
create index on program.missed_diversion (subject_id);
alter table program.stop add primary key (subject_id);

grant usage on schema program to goldenthread_program, goldenthread_projector;

alter table program.finding enable row level security;
alter table program.finding force row level security;
create policy role on program.finding for select to goldenthread_program using (
    (select gate.party()) is not null
);
create policy projector on program.finding for all to goldenthread_projector using (true) with check (true);
grant select on program.finding to goldenthread_program;
grant select, insert, delete on program.finding to goldenthread_projector;

alter table program.missed_diversion enable row level security;
alter table program.missed_diversion force row level security;
create policy role on program.missed_diversion for select to goldenthread_program using (
    (select gate.party()) is not null
);
create policy projector on program.missed_diversion for all to goldenthread_projector using (true) with check (true);
grant select on program.missed_diversion to goldenthread_program;
grant select, insert, delete on program.missed_diversion to goldenthread_projector;

alter table program.stop enable row level security;
alter table program.stop force row level security;
create policy role on program.stop for select to goldenthread_program using (
    (select gate.party()) is not null
);
create policy projector on program.stop for all to goldenthread_projector using (true) with check (true);
grant select on program.stop to goldenthread_program;
grant select, insert, delete on program.stop to goldenthread_projector;

insert into log.view (name, position) values ('program', 0) on conflict (name) do update set position = 0;
delete from log.parked where view = 'program';
