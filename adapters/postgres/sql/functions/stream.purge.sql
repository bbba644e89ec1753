-- Let go of what was kept long enough, and of acknowledgements that have had their time, and destroy the keys of the days
-- that are over: what lies in a backup, or in the pages of a table, cannot be read any more. Returns how many that somebody had to look at went by age.
create or replace function stream.purge() returns bigint
language plpgsql volatile security definer set search_path = stream, pg_temp
as $$
declare
    at timestamptz := site.clock();
    unread bigint;
begin
    with gone as (
        delete from stream.kept where until <= at returning *
    ), written as (
        insert into stream.settled
        select id, party_id, topic, partition, "offset", faults, 'gone by age', null, null, kept_at, at from gone
        where state = 'set aside'
        returning 1
    )
    select count(*) into unread from written;
    with late as (
        delete from stream.acknowledgement where until <= at returning party_id
    )
    insert into stream.never_told as n (party_id, acknowledgements) select party_id, count(*) from late group by party_id
    on conflict (party_id) do update set acknowledgements = n.acknowledgements + excluded.acknowledgements;
    update log.key k set wrapped = null, destroyed_at = at
    from stream.day d
    where d.key_id = k.key_id and k.wrapped is not null and d.day < (at at time zone 'UTC')::date;
    return unread;
end $$;
