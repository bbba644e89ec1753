-- Generated from the models of projections.observer, not edited: python -m adapters.postgres.tables
-- Run by `migrate` when it differs from what the schema's comment says. The projector then computes every row again.
drop schema if exists observer cascade;
create schema observer;

-- Decision (role): A prosecutor's decision about someone in LEAD, beside the ceiling that the office had set itself.
create table observer.decision (
    subject_id uuid not null,
    as_of bigint not null,
    decided_at timestamptz not null,
    decision_id uuid not null,
    case_id uuid not null,
    pseudonym uuid not null,
    office_id uuid,
    kind text,
    ceiling text,
    source text
);

-- Diversion (role): An arrest diversion: which department, which charges, what was overridden, what became of it.
create table observer.diversion (
    subject_id uuid not null,
    as_of bigint not null,
    offered_at timestamptz not null,
    referral_id uuid not null,
    pseudonym uuid not null,
    department_id uuid not null,
    unit text,
    door text,
    charges jsonb not null,
    overrides jsonb not null,
    notices jsonb not null,
    accepted_at timestamptz,
    enrolled_at timestamptz
);

-- ObserverFinding (role): A finding, to the defender's observer.
create table observer.finding (
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

-- ObserverMissedDiversion (role): A missed diversion, to the defender's observer.
create table observer.missed_diversion (
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

-- Named (granted): Who stands behind a pseudonym, where the participant's ROI names this office.
create table observer.named (
    subject_id uuid not null,
    party_id uuid not null,
    epoch bigint not null,
    until timestamptz not null,
    as_of bigint not null,
    authority uuid not null,
    shown text not null,
    pseudonym uuid not null,
    name text,
    birth_date date
);

-- ObserverOfferNotTaken (role): An offer that was declined, to the defender's observer.
create table observer.offer_not_taken (
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

-- Concern (own): A concern that this office raised, and its answer.
create table observer.own_concern (
    subject_id uuid not null,
    party_id uuid not null,
    raised_at timestamptz not null,
    concern_id uuid not null,
    participant_id uuid,
    text text,
    answered_at timestamptz,
    answer text
);

-- Stop (role): One stop of an administrative record, de-identified.
create table observer.stop (
    subject_id uuid not null,
    as_of bigint not null,
    stopped_at timestamptz not null,
    unit text,
    precinct text,
    race_as_perceived text,
    arrested boolean not null
);

select site.keep_no_statistics('observer');
comment on schema observer is 'observer/9 sha256 3705e2e1f5a8affd795cb954102dfda3e6a0182a7c570e86aac41962b02ab418';

alter table observer.decision add primary key (decided_at, decision_id);
create index on observer.decision (subject_id, decided_at);
alter table observer.diversion add primary key (offered_at, referral_id);
create index on observer.diversion (subject_id, offered_at);
alter table observer.finding add primary key (raised_at, finding_id);
create index on observer.finding (subject_id, raised_at);
alter table observer.missed_diversion add primary key (arrested_at, subject_id);
create index on observer.missed_diversion (subject_id, arrested_at);
alter table observer.named add primary key (party_id, subject_id);
create index on observer.named (subject_id, party_id);
alter table observer.offer_not_taken add primary key (arrested_at, subject_id);
create index on observer.offer_not_taken (subject_id, arrested_at);
alter table observer.own_concern add primary key (party_id, raised_at, concern_id);
create index on observer.own_concern (subject_id, party_id);
alter table observer.stop add primary key (subject_id);

grant usage on schema observer to goldenthread_observer, goldenthread_projector;

alter table observer.decision enable row level security;
alter table observer.decision force row level security;
create policy role on observer.decision for select to goldenthread_observer using (
    (select gate.party()) is not null and decided_at >= (select '-infinity'::timestamptz where gate.party() is not null)
);
create policy projector on observer.decision for all to goldenthread_projector using (true) with check (true);
grant select on observer.decision to goldenthread_observer;
grant select, insert, delete on observer.decision to goldenthread_projector;

alter table observer.diversion enable row level security;
alter table observer.diversion force row level security;
create policy role on observer.diversion for select to goldenthread_observer using (
    (select gate.party()) is not null and offered_at >= (select '-infinity'::timestamptz where gate.party() is not null)
);
create policy projector on observer.diversion for all to goldenthread_projector using (true) with check (true);
grant select on observer.diversion to goldenthread_observer;
grant select, insert, delete on observer.diversion to goldenthread_projector;

alter table observer.finding enable row level security;
alter table observer.finding force row level security;
create policy role on observer.finding for select to goldenthread_observer using (
    (select gate.party()) is not null and raised_at >= (select '-infinity'::timestamptz where gate.party() is not null)
);
create policy projector on observer.finding for all to goldenthread_projector using (true) with check (true);
grant select on observer.finding to goldenthread_observer;
grant select, insert, delete on observer.finding to goldenthread_projector;

alter table observer.missed_diversion enable row level security;
alter table observer.missed_diversion force row level security;
create policy role on observer.missed_diversion for select to goldenthread_observer using (
    (select gate.party()) is not null and arrested_at >= (select '-infinity'::timestamptz where gate.party() is not null)
);
create policy projector on observer.missed_diversion for all to goldenthread_projector using (true) with check (true);
grant select on observer.missed_diversion to goldenthread_observer;
grant select, insert, delete on observer.missed_diversion to goldenthread_projector;

alter table observer.named enable row level security;
alter table observer.named force row level security;
create policy granted on observer.named for select to goldenthread_observer using (
    (select gate.party()) is not null and party_id = (select gate.party()) and until > (select site.clock()) and exists (
        select from gate.consent g
        where g.party_id = named.party_id and g.participant_id = named.subject_id
          -- Not `epoch = epoch`: the planner would hash the whole gate for a page of fifty.
          and (named.epoch - g.epoch) = 0
          and greatest(g.roi_until, g.item_until) > (select site.clock())
    )
);
create policy projector on observer.named for all to goldenthread_projector using (true) with check (true);
grant select on observer.named to goldenthread_observer;
grant select, insert, delete on observer.named to goldenthread_projector;

alter table observer.offer_not_taken enable row level security;
alter table observer.offer_not_taken force row level security;
create policy role on observer.offer_not_taken for select to goldenthread_observer using (
    (select gate.party()) is not null and arrested_at >= (select '-infinity'::timestamptz where gate.party() is not null)
);
create policy projector on observer.offer_not_taken for all to goldenthread_projector using (true) with check (true);
grant select on observer.offer_not_taken to goldenthread_observer;
grant select, insert, delete on observer.offer_not_taken to goldenthread_projector;

alter table observer.own_concern enable row level security;
alter table observer.own_concern force row level security;
create policy own on observer.own_concern for select to goldenthread_observer using (
    (select gate.party()) is not null and party_id = (select gate.party())
);
create policy projector on observer.own_concern for all to goldenthread_projector using (true) with check (true);
grant select on observer.own_concern to goldenthread_observer;
grant select, insert, delete on observer.own_concern to goldenthread_projector;

alter table observer.stop enable row level security;
alter table observer.stop force row level security;
create policy role on observer.stop for select to goldenthread_observer using (
    (select gate.party()) is not null and subject_id >= (select '00000000-0000-0000-0000-000000000000'::uuid where gate.party() is not null)
);
create policy projector on observer.stop for all to goldenthread_projector using (true) with check (true);
grant select on observer.stop to goldenthread_observer;
grant select, insert, delete on observer.stop to goldenthread_projector;

insert into log.view (name, position) values ('observer', 0) on conflict (name) do update set position = 0;
delete from log.parked where view = 'observer';
