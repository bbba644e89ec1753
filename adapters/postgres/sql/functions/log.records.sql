-- A record, and those that are merged into it now.
create or replace function log.records(kept uuid) returns setof uuid
language sql stable security definer set search_path = log, pg_temp
as $$
    select kept
    union
    select away.participant_id
    from event k
    cross join lateral (
        select e.participant_id from event e
        where e.topic = 'participant.merged' and e.notification_id > k.notification_id
        order by e.notification_id limit 1
    ) away
    where k.participant_id = kept and k.topic = 'participant.merged' and log.merged_into(away.participant_id) = kept
$$;
