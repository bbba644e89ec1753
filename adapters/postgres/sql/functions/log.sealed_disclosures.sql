-- What left about a participant and was sealed when the log had a size, each with its place, oldest first.
create or replace function log.sealed_disclosures(participant uuid, size bigint)
returns table (
    index bigint, number bigint, previous bytea, "position" bigint, recorded_at timestamptz, participant_id uuid,
    salt bytea, kind text, reader text, party_id uuid, staff_id uuid, epoch bigint, as_of bigint, view_version text,
    labels text, grants text, purpose text, surface text, digest bytea, marks bytea, correlation_id uuid
)
language sql stable security definer set search_path = log, pg_temp
as $$
    select l.index, l.number, l.previous, d.position, d.recorded_at, d.participant_id, d.salt, d.kind, d.reader,
           d.party_id, d.staff_id, d.epoch, d.as_of, d.view_version, d.labels, d.grants, d.purpose, d.surface, d.digest,
           d.marks, d.correlation_id
    from log.leaf l join log.disclosure d on d.position = l.position
    where l.participant_id = participant and l.index < size and gate.may_verify(participant)
    order by l.number
$$;
