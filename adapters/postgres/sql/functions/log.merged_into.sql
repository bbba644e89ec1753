-- Into which record one is merged now; null if into none. Which one is sealed; in clear, a merge is two events next to
-- each other in the log, the first of them on the record that is kept: of all such events every second is on the other.
create or replace function log.merged_into(record uuid) returns uuid
language sql stable security definer set search_path = log, pg_temp
as $$
    select k.participant_id
    from (
        select e.topic, e.notification_id from event e
        where e.participant_id = record and e.topic in ('participant.merged', 'participant.unmerged')
        order by e.notification_id desc limit 1
    ) last
    cross join lateral (
        select e.participant_id from event e
        where e.topic = 'participant.merged' and e.notification_id < last.notification_id
        order by e.notification_id desc limit 1
    ) k
    where last.topic = 'participant.merged' and (
        select count(*) % 2 = 0 from event e
        where e.topic = 'participant.merged' and e.notification_id <= last.notification_id
    )
$$;
-- What it replaces took two merges next to each other for a third one.
drop function if exists log.is_merged_into(uuid, uuid);
