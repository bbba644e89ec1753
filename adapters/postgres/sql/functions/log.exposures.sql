-- For the site's own audit: what a party's people were shown of a participant by consent before a position. Each line is
-- one person, one place, the same labels; nothing of what was said, and nothing that was read by role.
create or replace function log.exposures(participant uuid, party uuid, before bigint)
returns table (
    staff_id uuid, labels text, surface text, first_position bigint, first_at timestamptz, last_position bigint,
    last_at timestamptz, times bigint
)
language sql stable security definer set search_path = log, pg_temp
as $$
    select d.staff_id, d.labels, d.surface, min(d.position), min(d.recorded_at), max(d.position), max(d.recorded_at),
           count(*)
    from log.disclosure d
    where d.participant_id = participant and d.party_id = party and d.position < before and d.kind = 'disclosure'
    group by d.staff_id, d.labels, d.surface
    order by min(d.position)
$$;
