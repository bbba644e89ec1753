-- Generated from the models of projections.recipient, not edited: python -m adapters.postgres.tables
-- Run by `migrate` when it differs from what the schema's comment says. The projector then computes every row again.
drop schema if exists recipient cascade;
create schema recipient;

-- Entry (granted): What LEAD told this party.
create table recipient.granted_entry (
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

-- Participant (granted): A participant whose ROI names this party.
create table recipient.granted_participant (
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
    phone text
);

-- Ask (own): What this party asked or told, as it sent it.
create table recipient.own_ask (
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

-- CommunityReferral (own): A referral that this party made, as it made it.
create table recipient.own_referral (
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

select site.keep_no_statistics('recipient');
comment on schema recipient is 'recipient/6 sha256 d1fd59a0ee907b6f4568b64373133695383255892fd1bae447c0565e75c6aa33';

alter table recipient.granted_entry add primary key (party_id, subject_id, occurred_at, entry_id);
create index on recipient.granted_entry (subject_id, party_id);
alter table recipient.granted_participant add primary key (party_id, place, subject_id);
create index on recipient.granted_participant (subject_id, party_id);
alter table recipient.own_ask add primary key (party_id, asked_at, ask_id);
create index on recipient.own_ask (subject_id, party_id);
alter table recipient.own_referral add primary key (party_id, referred_at, referral_id);
create index on recipient.own_referral (subject_id, party_id);

grant usage on schema recipient to goldenthread_recipient, goldenthread_projector;

alter table recipient.granted_entry enable row level security;
alter table recipient.granted_entry force row level security;
create policy granted on recipient.granted_entry for select to goldenthread_recipient using (
    (select gate.party()) is not null and party_id = (select gate.party()) and until > (select site.clock()) and exists (
        select from gate.consent g
        where g.party_id = granted_entry.party_id and g.participant_id = granted_entry.subject_id
          -- Not `epoch = epoch`: the planner would hash the whole gate for a page of fifty.
          and (granted_entry.epoch - g.epoch) = 0
          and greatest(g.roi_until, g.item_until) > (select site.clock())
    )
);
create policy projector on recipient.granted_entry for all to goldenthread_projector using (true) with check (true);
grant select on recipient.granted_entry to goldenthread_recipient;
grant select, insert, delete on recipient.granted_entry to goldenthread_projector;

alter table recipient.granted_participant enable row level security;
alter table recipient.granted_participant force row level security;
create policy granted on recipient.granted_participant for select to goldenthread_recipient using (
    (select gate.party()) is not null and party_id = (select gate.party()) and until > (select site.clock()) and exists (
        select from gate.consent g
        where g.party_id = granted_participant.party_id and g.participant_id = granted_participant.subject_id
          -- Not `epoch = epoch`: the planner would hash the whole gate for a page of fifty.
          and (granted_participant.epoch - g.epoch) = 0
          and greatest(g.roi_until, g.item_until) > (select site.clock())
    )
);
create policy projector on recipient.granted_participant for all to goldenthread_projector using (true) with check (true);
grant select on recipient.granted_participant to goldenthread_recipient;
grant select, insert, delete on recipient.granted_participant to goldenthread_projector;

alter table recipient.own_ask enable row level security;
alter table recipient.own_ask force row level security;
create policy own on recipient.own_ask for select to goldenthread_recipient using (
    (select gate.party()) is not null and party_id = (select gate.party())
);
create policy projector on recipient.own_ask for all to goldenthread_projector using (true) with check (true);
grant select on recipient.own_ask to goldenthread_recipient;
grant select, insert, delete on recipient.own_ask to goldenthread_projector;

alter table recipient.own_referral enable row level security;
alter table recipient.own_referral force row level security;
create policy own on recipient.own_referral for select to goldenthread_recipient using (
    (select gate.party()) is not null and party_id = (select gate.party())
);
create policy projector on recipient.own_referral for all to goldenthread_projector using (true) with check (true);
grant select on recipient.own_referral to goldenthread_recipient;
grant select, insert, delete on recipient.own_referral to goldenthread_projector;

insert into log.view (name, position) values ('recipient', 0) on conflict (name) do update set position = 0;
delete from log.parked where view = 'recipient';
