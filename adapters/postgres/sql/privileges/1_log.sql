-- The application may read the log and call the functions; only the projector and the sealer
-- write tables, and only those that can be computed again or are signed.
revoke all on schema site, log, gate, stream, access from public;
revoke all on all tables in schema site, log, gate, stream, access from public;
revoke all on all functions in schema site, log, gate, stream, access from public;

-- What an earlier version or a hand has granted is taken back first: what follows is all.
do $$
declare
    role text;
begin
    for role in select rolname from pg_roles where rolname ~ '^goldenthread_' loop
        execute format('revoke all on schema site, log, gate, stream, access from %I', role);
        execute format('revoke all on all tables in schema site, log, gate, stream, access from %I', role);
        execute format('revoke all on all sequences in schema site, log, gate, stream, access from %I', role);
        execute format('revoke all on all functions in schema site, log, gate, stream, access from %I', role);
    end loop;
end $$;

grant usage on schema stream to goldenthread_recorder;
grant usage on schema access to goldenthread_access;
grant execute on function access.admit, access.begin, access.end, access.sessions, access.sweep to goldenthread_access;
grant usage on schema site, log, gate to goldenthread_recorder, goldenthread_projector, goldenthread_sealer,
    goldenthread_case_manager, goldenthread_liaison_prosecutor, goldenthread_police, goldenthread_recipient,
    goldenthread_program, goldenthread_court, goldenthread_observer, goldenthread_counsel, goldenthread_legal_services,
    goldenthread_participant, goldenthread_privacy;
grant execute on function site.clock() to goldenthread_recorder, goldenthread_projector, goldenthread_sealer,
    goldenthread_case_manager, goldenthread_liaison_prosecutor, goldenthread_police, goldenthread_recipient,
    goldenthread_program, goldenthread_court, goldenthread_observer, goldenthread_counsel, goldenthread_legal_services,
    goldenthread_participant, goldenthread_privacy;

grant select on log.event, log.answer, log.key, log.site_key, log.view, log.fired to goldenthread_recorder;
grant select (view) on log.parked to goldenthread_recorder;
grant select on log.checkpoint, log.cosignature to goldenthread_recorder;
grant select (index, participant_id, number, hash, salt) on log.leaf to goldenthread_recorder;
grant execute on function log.record to goldenthread_recorder;
grant execute on function log.wrapped_key to goldenthread_recorder;
grant execute on function log.set_aside to goldenthread_recorder;
grant execute on function log.exposures to goldenthread_recorder;
grant execute on function log.set_fired to goldenthread_recorder;
grant execute on function log.admit, log.forget_senders to goldenthread_recorder;
grant execute on function site.telling to goldenthread_recorder;

grant select on stream.partition, stream.message, stream.kept, stream.settled, stream.published,
    stream.acknowledgement, stream.never_told, stream.beat to goldenthread_recorder;
grant execute on function stream.claim, stream.stop, stream.resume, stream.take, stream.purge to goldenthread_recorder;
grant execute on function stream.key_subject, stream.publish, stream.sent, stream.acknowledged, stream.beaten
    to goldenthread_recorder;

grant select on log.event, log.key to goldenthread_projector;
grant select, insert, update, delete on log.view, log.parked to goldenthread_projector;

grant select on log.event, log.disclosure, log.leaf, log.checkpoint, log.cosignature to goldenthread_sealer;
grant insert on log.checkpoint, log.cosignature to goldenthread_sealer;
grant execute on function log.horizon to goldenthread_sealer;
grant execute on function log.append_leaves to goldenthread_sealer;
grant execute on function gate.standing to goldenthread_sealer;

grant execute on function gate.session, gate.party, gate.release to
    goldenthread_case_manager, goldenthread_liaison_prosecutor, goldenthread_police, goldenthread_recipient,
    goldenthread_program, goldenthread_court, goldenthread_observer, goldenthread_counsel, goldenthread_legal_services,
    goldenthread_participant, goldenthread_privacy;
grant execute on function gate.records to goldenthread_participant;
grant execute on function log.sealed_events, log.sealed_disclosures to
    goldenthread_participant, goldenthread_counsel, goldenthread_observer;
grant execute on function log.accounting to goldenthread_case_manager, goldenthread_participant, goldenthread_counsel,
    goldenthread_privacy;

-- A reader's policies look into the gate: it sees its own party's live rows there, and nothing of what has ended.
grant select on gate.consent to
    goldenthread_liaison_prosecutor, goldenthread_police, goldenthread_recipient, goldenthread_court,
    goldenthread_observer, goldenthread_counsel;
alter table gate.consent enable row level security;
drop policy if exists own_and_alive on gate.consent;
create policy own_and_alive on gate.consent for select
    to goldenthread_liaison_prosecutor, goldenthread_police, goldenthread_recipient, goldenthread_court,
       goldenthread_observer, goldenthread_counsel
    using (
        (select gate.party()) is not null and party_id = (select gate.party())
        and greatest(roi_until, item_until) > (select site.clock())
    );
drop policy if exists recorder_reads on gate.consent;  -- of an earlier version
