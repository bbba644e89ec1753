-- A participant's events that were sealed when the log had a size, each with its place, oldest first.
create or replace function log.sealed_events(participant uuid, size bigint)
returns table (
    index bigint, number bigint, previous bytea, "position" bigint, recorded_at timestamptz, participant_id uuid,
    salt bytea, stream uuid, version bigint, topic text, matter_id uuid, party_id uuid, staff_id uuid,
    expires_at timestamptz, state bytea
)
language sql stable security definer set search_path = log, pg_temp
as $$
    select l.index, l.number, l.previous, e.notification_id, e.recorded_at, e.participant_id, e.salt, e.originator_id,
           e.originator_version, e.topic, e.matter_id, e.party_id, e.staff_id, e.expires_at, sha256(e.state)
    from log.leaf l join log.event e on e.notification_id = l.position
    where l.participant_id = participant and l.index < size and gate.may_verify(participant)
    order by l.number
$$;
