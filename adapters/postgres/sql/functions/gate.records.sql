-- The records of a participant who reads: its own, and those that are merged into it now. Policies call it once per
-- statement. Which record was merged is sealed; in clear, a merge is two events next to each other in the log, the first
-- of them on the record that is kept.
create or replace function gate.records() returns setof uuid
language sql stable security definer set search_path = gate, pg_temp
as $$
    with own as (select gate.party() as party)
    select party from own
    union
    select away.participant_id
    from own join log.event kept on kept.participant_id = own.party and kept.topic = 'participant.merged'
    cross join lateral (
        select e.participant_id from log.event e
        where e.topic = 'participant.merged' and e.notification_id > kept.notification_id
        order by e.notification_id limit 1
    ) away
    where log.is_merged_into(away.participant_id, own.party)
$$;
