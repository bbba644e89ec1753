-- Generated from the models of projections.program, not edited: python -m adapters.postgres.tables
-- Run by `migrate` when it differs from what the schema's comment says. The projector then computes every row again.
drop schema if exists program cascade;
create schema program;

-- Stop (role): One stop of an administrative record, de-identified.
create table program.stop (
    subject_id uuid not null,
    as_of bigint not null,
    stopped_at timestamptz not null,
    precinct text not null,
    race_as_perceived text not null,
    arrested boolean not null
);
comment on schema program is 'program/1 sha256 e950a27f2c14286213a2e72b6b85f092a1fd83dd8631137c82345b532a74b5be';

alter table program.stop add primary key (subject_id);

grant usage on schema program to goldenthread_program, goldenthread_projector;

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
