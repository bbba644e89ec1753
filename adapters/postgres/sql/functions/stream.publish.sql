-- Keep what the relay is about to send, before it sends it: a status, or a withdrawal (`gone`). A key that this leaves
-- without use is destroyed here, and no other key can be. GT006: another relay was here meanwhile.
create or replace function stream.publish(
    parties uuid[], participants uuid[], versions bigint[], generations bigint[], epochs bigint[], contents bytea[],
    leases timestamptz[], gone boolean[]
) returns void
language plpgsql volatile security definer set search_path = stream, pg_temp
as $$
declare
    at timestamptz := site.clock();
    kept bigint;
begin
    update log.key k set wrapped = null, destroyed_at = at
    from stream.published p
    join unnest(parties, participants, generations, gone) as r(party, participant, generation, gone)
      on r.party = p.party_id and r.participant = p.participant_id
    where k.subject_id = stream.key_subject(p.party_id, p.participant_id, p.generation) and k.wrapped is not null
      and (r.gone or r.generation <> p.generation);
    insert into stream.published as p (
        party_id, participant_id, version, generation, key_subject, epoch, content, lease_until, withdrawn, sent,
        changed_at, unsent_since
    )
    select r.party, r.participant, r.version, r.generation, stream.key_subject(r.party, r.participant, r.generation),
           r.epoch, r.content, r.lease, r.gone, false, at, at
    from unnest(parties, participants, versions, generations, epochs, contents, leases, gone)
         as r(party, participant, version, generation, epoch, content, lease, gone)
    on conflict (party_id, participant_id) do update
    set version = excluded.version, generation = excluded.generation, key_subject = excluded.key_subject,
        epoch = excluded.epoch, content = excluded.content, lease_until = excluded.lease_until,
        withdrawn = excluded.withdrawn, sent = false, changed_at = at,
        unsent_since = coalesce(p.unsent_since, at)
    where p.version = excluded.version - 1;
    get diagnostics kept = row_count;
    if kept <> cardinality(parties) then
        raise exception 'another relay was here meanwhile' using errcode = 'GT006';
    end if;
end $$;
