-- Whether a record is merged into another one now. Which record is the other is sealed; in clear, a merge is two events
-- next to each other in the log, the first of them on the record that is kept.
create or replace function log.is_merged_into(away uuid, kept uuid) returns boolean
language sql stable security definer set search_path = log, pg_temp
as $$
    select coalesce((
        select last.topic = 'participant.merged' and (
            select k.topic = last.topic and k.participant_id = kept
            from event k where k.notification_id < last.notification_id order by k.notification_id desc limit 1
        )
        from event last
        where last.participant_id = away and last.topic in ('participant.merged', 'participant.unmerged')
        order by last.notification_id desc limit 1
    ), false)
$$;
