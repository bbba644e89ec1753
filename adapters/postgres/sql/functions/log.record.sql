-- Append events: the only way in. One call, one transaction: fence (for a narrowing event), log lock, the caller's
-- authority, the keys that seal, the answer that makes a repeated command harmless, what the decision was taken on
-- (the streams `read` still stand at `read_at`; about the participants `known` nothing is past `known_at`), the events,
-- their effect on the gate, the keys that an erasure destroys, an empty NOTIFY.
create or replace function log.record(
    streams uuid[], versions bigint[], topics text[], states bytea[],
    participants uuid[], matters uuid[], parties uuid[], staff uuid[], expiries timestamptz[],
    sealed_under uuid[], read uuid[], read_at bigint[], known uuid[], known_at bigint[],
    actor uuid, answer_key text, answer_request bytea, answer_body jsonb
) returns setof bigint
language plpgsql security definer set search_path = log, pg_temp
as $$
declare
    at timestamptz;
    ids bigint[];
    n int;
begin
    if exists (select from unnest(topics) t where gate.is_narrowing(t)) then
        perform pg_advisory_xact_lock(gate.fence());
    end if;
    perform pg_advisory_xact_lock(log.lock_id());
    at := site.clock();
    if actor is not null and not exists (select from gate.authority a where a.staff_id = actor and a.alive) then
        raise exception 'the authority has ended' using errcode = 'GT003';
    end if;
    if exists (select from log.key k where k.key_id = any(sealed_under) and k.wrapped is null) then
        raise exception 'the key was destroyed' using errcode = 'GT005';
    end if;
    if answer_key is not null then
        insert into log.answer values (actor, answer_key, answer_request, answer_body, at) on conflict do nothing;
        if not found then
            raise exception 'the command was answered already' using errcode = 'GT001';
        end if;
    end if;
    if exists (
        select from unnest(read, read_at) as r(stream, version)
        where r.version
              <> coalesce((select max(e.originator_version) from event e where e.originator_id = r.stream), 0)
    ) or exists (
        select from unnest(known, known_at) as k(participant, position)
        join event e on e.participant_id = k.participant and e.notification_id > k.position
    ) then
        raise exception 'a stream has moved on' using errcode = 'GT006';
    end if;
    with added as (
        insert into log.event (
            originator_id, originator_version, topic, state, recorded_at,
            participant_id, matter_id, party_id, staff_id, expires_at, salt
        )
        select e.stream, e.version, e.topic, e.state, at,
               e.participant, e.matter, e.party, e.member, e.expires, uuid_send(gen_random_uuid())
        from unnest(streams, versions, topics, states, participants, matters, parties, staff, expiries)
             with ordinality as e(stream, version, topic, state, participant, matter, party, member, expires, n)
        order by e.n
        returning notification_id
    )
    select array_agg(notification_id order by notification_id) into ids from added;
    for n in 1 .. coalesce(array_length(topics, 1), 0) loop
        if gate.is_of(topics[n]) then
            perform gate.apply(topics[n], participants[n], parties[n], staff[n], expiries[n], ids[n]);
        end if;
        if topics[n] in ('matter.erased', 'participant.erased') then
            perform log.destroy(case topics[n] when 'matter.erased' then matters[n] else participants[n] end);
        end if;
    end loop;
    notify log;
    return query select unnest(ids);
end $$;
