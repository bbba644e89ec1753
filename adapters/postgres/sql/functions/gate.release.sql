-- The one door out. Takes the fence shared, checks again that the person's authority and each epoch are alive, and of a
-- participant that each record is its own still, and writes one row per participant. False: something went dark
-- meanwhile; the caller renders again.
create or replace function gate.release(
    participants uuid[], epochs bigint[], untils timestamptz[], as_of bigint[], labels text[], grants text[],
    digests bytea[], marks bytea[], view_version text, purpose text, surface text, correlation uuid
) returns boolean
language plpgsql volatile security definer set search_path = gate, pg_temp
as $$
declare
    who record;
    at timestamptz;
begin
    select * into who from gate.whoami(); -- before the fence too: who may not release does not learn that it is closed
    if who.party is not null then
        perform pg_advisory_xact_lock_shared(gate.fence());
        select * into who from gate.whoami();
    end if;
    if who.party is null then
        raise exception 'no valid context' using errcode = 'GT002';
    end if;
    at := site.clock();
    if exists (
        select from unnest(participants, epochs, untils) as d(participant, epoch, until)
        where d.epoch is not null and not exists (
            select from gate.consent g
            where g.party_id = who.party and g.participant_id = d.participant and g.epoch = d.epoch
              and greatest(g.roi_until, g.item_until) > at and d.until > at
        )
    ) then
        return false;
    end if;
    if who.reader = 'participant' and exists (
        select from unnest(participants) as d(participant)
        where d.participant not in (select gate.records())
    ) then
        return false;
    end if;
    -- A partner or counsel shows nothing of a participant without an epoch; only readers by role do.
    if who.reader in ('liaison_prosecutor', 'police', 'court', 'recipient', 'counsel')
       and exists (select from unnest(epochs) e where e is null) then
        raise exception 'a partner releases under an epoch' using errcode = 'GT002';
    end if;
    insert into log.disclosure (
        recorded_at, kind, reader, party_id, staff_id, participant_id, epoch, as_of, view_version, labels, grants,
        purpose, surface, digest, marks, correlation_id, salt
    )
    select at, case when d.epoch is null then 'access' else 'disclosure' end, who.reader, who.party, who.staff,
           d.participant, d.epoch, d.seen, view_version, d.label, d.authority, purpose, surface, d.digest, d.mark,
           correlation, uuid_send(gen_random_uuid())
    from unnest(participants, epochs, as_of, labels, grants, digests, marks)
         as d(participant, epoch, seen, label, authority, digest, mark);
    return true;
end $$;
