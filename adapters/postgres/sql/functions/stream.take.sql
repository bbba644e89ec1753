-- Keep what was taken of a stream, in the transaction of its effect: how far the partition has come (null: a file), which
-- messages, which of them are kept for a time, and which kept ones are settled now. GT007: another gateway has the
-- partition. GT006: one of the messages was taken meanwhile.
create or replace function stream.take(
    of_topic text, of_number integer, epoch bigint, expected bigint, next bigint, last bytea,
    messages bytea[],
    parties uuid[], states text[], topics text[], partitions integer[], offsets bigint[], keys bytea[], why jsonb[],
    sealed uuid[], bodies bytea[], untils timestamptz[], unread boolean[],
    settle bigint[], outcomes text[], by uuid, reason text, acknowledged jsonb[]
) returns void
language plpgsql volatile security definer set search_path = stream, pg_temp
as $$
declare
    at timestamptz := site.clock();
    added bigint;
begin
    if of_number is not null then
        update stream.partition p
        set next_offset = next, last_record = coalesce(last, p.last_record), taken_at = at
        where p.topic = of_topic and p.number = of_number and p.owner_epoch = epoch and p.next_offset = expected
          and p.stopped is null;
        if not found then
            raise exception 'another gateway has the partition' using errcode = 'GT007';
        end if;
    end if;
    with s as (
        delete from stream.kept k using unnest(settle, outcomes) as w(id, outcome) where k.id = w.id
        returning k.*, w.outcome
    ), written as (
        insert into stream.settled
        select s.id, s.party_id, s.topic, s.partition, s."offset", s.faults, s.outcome, by, reason, s.kept_at, at from s
        where s.state = 'set aside'
    )
    select count(*) into added from s;
    if added <> coalesce(array_length(settle, 1), 0) then
        raise exception 'it was settled meanwhile' using errcode = 'GT006';
    end if;
    with added_messages as (
        insert into stream.message select m, at from unnest(messages) m order by m on conflict do nothing returning 1
    )
    select count(*) into added from added_messages;
    if added <> coalesce(array_length(messages, 1), 0) then
        raise exception 'a message was taken meanwhile' using errcode = 'GT006';
    end if;
    if exists (select from log.key k where k.key_id = any(sealed) and k.wrapped is null) then
        raise exception 'the key was destroyed' using errcode = 'GT005';
    end if;
    insert into stream.day
    select distinct (until at time zone 'UTC')::date, key_id from unnest(untils, sealed) r(until, key_id)
    on conflict do nothing;
    insert into stream.kept (
        party_id, state, topic, partition, "offset", key, faults, sealed_under, body, kept_at, until, unread
    )
    select k.*
    from (
        select party, state, topic, partition, "offset", key, fault, sealed_key, body, at, until, was_unread
        from unnest(parties, states, topics, partitions, offsets, keys, why, sealed, bodies, untils, unread)
             with ordinality
             as r(party, state, topic, partition, "offset", key, fault, sealed_key, body, until, was_unread, n)
        order by n
    ) k;
    insert into stream.acknowledgement (party_id, source, message, code, faults, correlation_id, taken_at, until)
    select (a ->> 'party')::uuid, a ->> 'source', a ->> 'message', a ->> 'code', a -> 'faults',
           (a ->> 'correlation_id')::uuid, at, (a ->> 'until')::timestamptz
    from unnest(acknowledged) with ordinality as r(a, n) order by n;
end $$;
