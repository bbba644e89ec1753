-- Generated from the models of projections.legal_services, not edited: python -m adapters.postgres.tables
-- Run by `migrate` when it differs from what the schema's comment says. The projector then computes every row again.
drop schema if exists legal_services cascade;
create schema legal_services;

-- Entry (role): One event of a participant's history, as far as Legal Services reads it.
create table legal_services.entry (
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

-- Participant (role): A participant whom Legal Services may advise.
create table legal_services.participant (
    subject_id uuid not null,
    as_of bigint not null,
    name text not null,
    birth_date date,
    phone text,
    enrolment text,
    case_manager text,
    call text
);

select site.keep_no_statistics('legal_services');
comment on schema legal_services is 'legal_services/6 sha256 5e9f92f82d2bb73df4b9371477bf2b3a987e12a11c2a95315de9f688def67bdc';

alter table legal_services.entry add primary key (subject_id, occurred_at, entry_id);
alter table legal_services.participant add primary key (name, subject_id);
create index on legal_services.participant (subject_id, name);

grant usage on schema legal_services to goldenthread_legal_services, goldenthread_projector;

alter table legal_services.entry enable row level security;
alter table legal_services.entry force row level security;
create policy role on legal_services.entry for select to goldenthread_legal_services using (
    (select gate.party()) is not null and subject_id >= (select '00000000-0000-0000-0000-000000000000'::uuid where gate.party() is not null)
);
create policy projector on legal_services.entry for all to goldenthread_projector using (true) with check (true);
grant select on legal_services.entry to goldenthread_legal_services;
grant select, insert, delete on legal_services.entry to goldenthread_projector;

alter table legal_services.participant enable row level security;
alter table legal_services.participant force row level security;
create policy role on legal_services.participant for select to goldenthread_legal_services using (
    (select gate.party()) is not null and name >= (select '' where gate.party() is not null)
);
create policy projector on legal_services.participant for all to goldenthread_projector using (true) with check (true);
grant select on legal_services.participant to goldenthread_legal_services;
grant select, insert, delete on legal_services.participant to goldenthread_projector;

insert into log.view (name, position) values ('legal_services', 0) on conflict (name) do update set position = 0;
delete from log.parked where view = 'legal_services';
