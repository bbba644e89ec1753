-- The broker has acknowledged these.
create or replace function stream.sent(parties uuid[], participants uuid[], versions bigint[]) returns void
language sql volatile security definer set search_path = stream, pg_temp
as $$
    update stream.published p set sent = true, unsent_since = null
    from unnest(parties, participants, versions) as r(party, participant, version)
    where p.party_id = r.party and p.participant_id = r.participant and p.version = r.version
$$;
