-- Generated from the models of projections.program, not edited: python -m adapters.postgres.tables
-- Run by `migrate` when it differs from what the schema's comment says. The projector then computes every row again.
drop schema if exists program cascade;
create schema program;

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

-- Stop (role): One stop of an administrative record, de-identified.
create table program.stop (
    subject_id uuid not null,
    as_of bigint not null,
    stopped_at timestamptz not null,
    precinct text not null,
    race_as_perceived text not null,
    arrested boolean not null
);
comment on schema program is 'program/2 sha256 05a6de94627d20f81c69dd3df9321e9ee7cdce08c68bf0e6c68627644d98b1b5';

alter table program.referral add primary key (referred_at, referral_id);
create index on program.referral (subject_id);
alter table program.stop add primary key (subject_id);

grant usage on schema program to goldenthread_program, goldenthread_projector;

alter table program.referral enable row level security;
alter table program.referral force row level security;
create policy role on program.referral for select to goldenthread_program using (
    (select gate.party()) is not null
);
create policy projector on program.referral for all to goldenthread_projector using (true) with check (true);
grant select on program.referral to goldenthread_program;
grant select, insert, delete on program.referral to goldenthread_projector;

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
