-- The agencies for which the accounting of a person is suspended now (45 CFR 164.528(a)(2)), by whatever record: the last
-- word of each is a statement whose day is not over.
create or replace function log.silent_of(record uuid) returns setof uuid
language sql stable security definer set search_path = log, pg_temp
as $$
    select said.agency from (
        select distinct on (e.originator_id)
               e.topic, e.expires_at, (convert_from(e.state, 'UTF8')::jsonb #>> '{data,agency}')::uuid as agency
        from log.records(coalesce(log.merged_into(record), record)) as each(record)
        join event e on e.participant_id = each.record
        where e.topic in ('accounting.suspended', 'accounting.resumed')
        order by e.originator_id, e.originator_version desc
    ) said
    where said.topic = 'accounting.suspended' and said.expires_at > site.clock()
$$;
