-- What the server itself would tell a login, or let it do. Only a superuser may close it: run by `migrate` as one, or once
-- by hand. Whoever watches the server is a member of pg_monitor.
select site.keep_no_statistics('gate');

do $$
declare
    tables text;
    functions text;
    columns text;
    owner text := (select proowner::regrole from pg_proc where oid = 'gate.release'::regproc);
begin
    if not (select rolsuper from pg_roles where rolname = current_user) then
        raise warning 'The statistics views stay open to every role: only a superuser may close them.';
        return;
    end if;
    select string_agg(t.name, ', ') filter (where t.kind = 'table'),
           string_agg(t.name, ', ') filter (where t.kind = 'function')
    into tables, functions from site.telling() t;
    execute format('revoke select on %s from public', tables);
    execute format('grant select on %s to pg_monitor', tables);
    execute format('revoke execute on function %s from public', functions);
    execute format('grant execute on function %s to pg_monitor, %s', functions, owner);
    -- The parts of the application take turns by advisory locks.
    select string_agg(t.name, ', ') into functions from site.telling() t where t.name ~ 'advisory';
    execute format(
        'grant execute on function %s to goldenthread_recorder, goldenthread_projector, goldenthread_sealer', functions
    );
    -- How many rows each table has.
    select string_agg(quote_ident(attname), ', ') into columns from pg_attribute
    where attrelid = 'pg_class'::regclass and attnum > 0 and attname not like 'relpages%' and attname not like 'reltuples%'
      and attname not like 'relall%' and attname not in ('relfrozenxid', 'relminmxid');
    revoke select on pg_class from public;
    execute format('grant select (%s) on pg_class to public', columns);
    grant select on pg_class to pg_monitor;
    -- What was counted of the gate before nothing was.
    delete from pg_statistic where starelid in (select oid from pg_class where relnamespace = 'gate'::regnamespace);
    -- From another database every login would see the whole server's sessions and locks.
    if has_database_privilege('public', 'template1', 'connect') then
        begin
            revoke connect on database template1 from public;
        exception when internal_error then
            null; -- another site of the same server did it meanwhile
        end;
    end if;
end $$;
