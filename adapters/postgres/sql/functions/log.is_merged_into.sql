-- Whether a record is merged into another one now. Which record is the other is sealed; in clear, the two events of a
-- merge are recorded at one moment, the first of them on the record that is kept.
create or replace function log.is_merged_into(away uuid, kept uuid) returns boolean
language sql stable security definer set search_path = log, pg_temp
as $$
    select coalesce((
        select last.topic = 'participant.merged' and exists (
            select from event k
            where k.participant_id = kept and k.topic = last.topic and k.recorded_at = last.recorded_at
              and k.notification_id < last.notification_id
        )
        from event last
        where last.participant_id = away and last.topic in ('participant.merged', 'participant.unmerged')
        order by last.notification_id desc limit 1
    ), false)
$$;
