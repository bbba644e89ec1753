-- Generated from the models of projections.privacy, not edited: python -m adapters.postgres.tables
-- Run by `migrate` when it differs from what the schema's comment says. The projector then computes every row again.
drop schema if exists privacy cascade;
create schema privacy;

-- Entry (role): One act of consent, one telling by word of mouth, or one word of an agency's on the accounting.
create table privacy.entry (
    subject_id uuid not null,
    as_of bigint not null,
    occurred_at timestamptz not null,
    recorded_at timestamptz not null,
    entry_id uuid not null,
    stream_id uuid not null,
    matter_id uuid,
    kind text not null,
    shown text not null,
    body jsonb not null,
    agency_id uuid
);

-- Participant (role): Somebody who has a record here, by an id: when its ROI was signed and ends, and whether an accounting waits.
create table privacy.participant (
    subject_id uuid not null,
    as_of bigint not null,
    signed_at timestamptz,
    ends_at timestamptz,
    suspended boolean not null
);

-- Recipient (role): What a participant's consent gives one party now.
create table privacy.recipient (
    subject_id uuid not null,
    as_of bigint not null,
    party_id uuid not null,
    labels jsonb not null,
    purpose text not null,
    covers_from timestamptz,
    until timestamptz,
    items bigint not null
);

-- SealOrder (role): An order to seal, vacate or expunge: when it was carried out, or what it waits for.
create table privacy.seal_order (
    subject_id uuid not null,
    as_of bigint not null,
    received_at timestamptz not null,
    entry_id uuid not null,
    order_kind text,
    ordered_on date,
    names text not null,
    carried_out_at timestamptz,
    waits_for jsonb not null
);

-- Withdrawal (role): A copy that a party was sent and that was withdrawn, and what the party has answered by now.
create table privacy.withdrawal (
    subject_id uuid not null,
    as_of bigint not null,
    receipt_by timestamptz not null,
    entry_id uuid not null,
    party_id uuid not null,
    withdrawn_at timestamptz not null,
    receipt text,
    answered_at timestamptz
);

select site.keep_no_statistics('privacy');
comment on schema privacy is 'privacy/5 sha256 af123deb14b530ed2b271a0c22537b76b0a9feebae96ab1290629d4e7a4d1da4';

alter table privacy.entry add primary key (subject_id, occurred_at, entry_id);
alter table privacy.participant add primary key (subject_id);
alter table privacy.recipient add primary key (subject_id, party_id);
alter table privacy.seal_order add primary key (received_at, entry_id);
create index on privacy.seal_order (subject_id, received_at);
alter table privacy.withdrawal add primary key (receipt_by, entry_id);
create index on privacy.withdrawal (subject_id, receipt_by);

grant usage on schema privacy to goldenthread_privacy, goldenthread_projector;

alter table privacy.entry enable row level security;
alter table privacy.entry force row level security;
create policy role on privacy.entry for select to goldenthread_privacy using (
    (select gate.party()) is not null and subject_id >= (select '00000000-0000-0000-0000-000000000000'::uuid where gate.party() is not null)
);
create policy projector on privacy.entry for all to goldenthread_projector using (true) with check (true);
grant select on privacy.entry to goldenthread_privacy;
grant select, insert, delete on privacy.entry to goldenthread_projector;

alter table privacy.participant enable row level security;
alter table privacy.participant force row level security;
create policy role on privacy.participant for select to goldenthread_privacy using (
    (select gate.party()) is not null and subject_id >= (select '00000000-0000-0000-0000-000000000000'::uuid where gate.party() is not null)
);
create policy projector on privacy.participant for all to goldenthread_projector using (true) with check (true);
grant select on privacy.participant to goldenthread_privacy;
grant select, insert, delete on privacy.participant to goldenthread_projector;

alter table privacy.recipient enable row level security;
alter table privacy.recipient force row level security;
create policy role on privacy.recipient for select to goldenthread_privacy using (
    (select gate.party()) is not null and subject_id >= (select '00000000-0000-0000-0000-000000000000'::uuid where gate.party() is not null)
);
create policy projector on privacy.recipient for all to goldenthread_projector using (true) with check (true);
grant select on privacy.recipient to goldenthread_privacy;
grant select, insert, delete on privacy.recipient to goldenthread_projector;

alter table privacy.seal_order enable row level security;
alter table privacy.seal_order force row level security;
create policy role on privacy.seal_order for select to goldenthread_privacy using (
    (select gate.party()) is not null and received_at >= (select '-infinity'::timestamptz where gate.party() is not null)
);
create policy projector on privacy.seal_order for all to goldenthread_projector using (true) with check (true);
grant select on privacy.seal_order to goldenthread_privacy;
grant select, insert, delete on privacy.seal_order to goldenthread_projector;

alter table privacy.withdrawal enable row level security;
alter table privacy.withdrawal force row level security;
create policy role on privacy.withdrawal for select to goldenthread_privacy using (
    (select gate.party()) is not null and receipt_by >= (select '-infinity'::timestamptz where gate.party() is not null)
);
create policy projector on privacy.withdrawal for all to goldenthread_projector using (true) with check (true);
grant select on privacy.withdrawal to goldenthread_privacy;
grant select, insert, delete on privacy.withdrawal to goldenthread_projector;

insert into log.view (name, position) values ('privacy', 0) on conflict (name) do update set position = 0;
delete from log.parked where view = 'privacy';
