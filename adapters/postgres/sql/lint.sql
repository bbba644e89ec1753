-- Every row is a finding: what would let somebody see or do more than the policies say, where, and the way out. Reads
-- the catalog alone, so that any of the application's logins may ask; `goldenthread doctor` does.
with ours as (
    select oid, nspname, nspowner, nspacl, nspname in ('site', 'log', 'gate', 'stream', 'access') as durable
    from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema'
), relation as (
    select c.oid, c.oid::regclass::text as name, c.relname, c.relkind, c.relowner, c.relacl, c.relrowsecurity,
           c.relforcerowsecurity, c.reloptions, regexp_replace(o.nspname, '_next$', '') as nspname, o.durable
    from pg_class c join ours o on o.oid = c.relnamespace
), functions as (
    select p.*, p.oid::regprocedure::text as name from pg_proc p join ours o on o.oid = p.pronamespace
), policies as (
    select p.polrelid, p.polroles, r.name || ' ' || p.polname as name, coalesce(pg_get_expr(p.polqual, p.polrelid), '') as qual
    from pg_policy p join relation r on r.oid = p.polrelid
), services as (
    select oid from pg_roles where rolname in (
        'goldenthread_recorder', 'goldenthread_projector', 'goldenthread_sealer', 'goldenthread_access'
    )
), logins as ( -- who logs in here as a part of the application; not the owner, who may only let others in
    select r.* from pg_roles r
    where r.rolcanlogin and has_database_privilege(r.oid, current_database(), 'connect')
      and exists (
          select from pg_auth_members m join pg_roles g on g.oid = m.roleid
          where m.member = r.oid and not m.admin_option and g.rolname ~ '^goldenthread_'
      )
), roles as ( -- the application's roles
    select oid, rolname from logins union select oid, rolname from pg_roles where rolname ~ '^goldenthread_'
), grants as (
    select r.oid, r.name, r.nspname, r.relkind, r.durable, a.grantee, lower(a.privilege_type) as privilege, '' as of
    from relation r, aclexplode(r.relacl) a where a.grantee <> r.relowner
    union all
    select r.oid, r.name, r.nspname, r.relkind, r.durable, a.grantee, lower(a.privilege_type), ' (' || c.attname || ')'
    from relation r join pg_attribute c on c.attrelid = r.oid, aclexplode(c.attacl) a where a.grantee <> r.relowner
), readable as ( -- tables whose rows a reader sees some of
    select r.* from relation r where r.relrowsecurity and r.relkind in ('r', 'p')
), finding (finding, what, way_out) as (
    -- Tables
    select 'row security is not forced', name, format('alter table %1$s enable row level security, force row level security', name)
    from relation where relkind in ('r', 'p') and not durable and not (relrowsecurity and relforcerowsecurity)
    union all
    select 'the gate is without row security', name, 'goldenthread migrate'
    from relation where oid = 'gate.consent'::regclass and not relrowsecurity
    union all
    select 'row security without a policy', r.name, 'drop its schema and goldenthread migrate'
    from readable r where not exists (select from policies p where p.polrelid = r.oid)
    union all
    select 'a policy for everybody', name, 'drop it: a policy names the roles it is for'
    from policies where 0 = any (polroles)
    union all
    select 'a policy that does not ask first who reads', name, 'begin it with: (select gate.party()) is not null and'
    from policies
    where qual !~ '^\(+ ?SELECT gate\.party\(\) AS party\) IS NOT NULL\)' and polroles <> array['goldenthread_projector'::regrole::oid]
    union all
    select 'a policy that calls a function for each row', name, 'put the call into a sub-select'
    from policies
    where regexp_replace(qual, 'SELECT ([^()]*\sWHERE \()?(gate\.party|gate\.records|site\.clock)\(\)', '', 'g') ~ '(gate|site|log|stream)\.\w+\('
    union all
    select 'a policy that trusts a setting', name, 'ask gate.party(), which checks the signature'
    from policies where qual ~* 'current_setting'
    union all
    select 'an index that EXPLAIN would count hidden rows by', i.indexrelid::regclass::text,
           'add to it a column that the policy compares with who reads, or drop it'
    from pg_index i join readable r on r.oid = i.indrelid
    where not exists (
        select from pg_attribute a join policies p on p.polrelid = i.indrelid
        where a.attrelid = i.indrelid and a.attnum = any (i.indkey)
          and p.qual ~ ('\(' || a.attname || ' >?= \( SELECT [^)]*gate\.party\(\)')
    )
    union all
    select 'an index column whose operator is not leakproof, so that policies keep its index from use',
           i.indexrelid::regclass || ' ' || a.attname, 'drop the index, or give the column another type'
    from pg_index i
    join readable r on r.oid = i.indrelid
    join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)
    where exists (
        select from pg_operator op join pg_proc f on f.oid = op.oprcode
        where op.oprname in ('=', '<', '>') and op.oprleft = a.atttypid and op.oprright = a.atttypid and not f.proleakproof
    ) or exists (select from pg_type t where t.oid = a.atttypid and (t.typtype <> 'b' or t.typelem <> 0)) -- enums, arrays, ranges
    union all
    select 'statistics of what hidden rows hold', r.name || ' ' || a.attname,
           format('alter table %s alter %I set statistics 0, and as a superuser delete from pg_statistic where starelid = %L::regclass',
                  r.name, a.attname, r.name)
    from readable r join pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
    where coalesce(a.attstattarget, -1) <> 0
    union all
    select 'a foreign key, whose checks pass row security by', c.conname || ' on ' || c.conrelid::regclass, 'drop it'
    from pg_constraint c where c.contype = 'f' and (c.conrelid in (select oid from readable) or c.confrelid in (select oid from readable))
    union all
    select 'a trigger or a rule', name, 'drop it: what happens to a row is said in the functions'
    from (
        select t.tgname || ' on ' || r.name as name from pg_trigger t join relation r on r.oid = t.tgrelid where not t.tgisinternal
        union all
        select w.rulename || ' on ' || r.name from pg_rewrite w join relation r on r.oid = w.ev_class where w.rulename <> '_RETURN'
    ) t
    union all
    select 'a view without security_invoker', name, format('alter view %s set (security_invoker = true)', name)
    from relation where relkind = 'v' and not coalesce(reloptions && array['security_invoker=true', 'security_invoker=on'], false)
    union all
    select 'a materialized view, which passes row security by', name, format('drop materialized view %s', name)
    from relation where relkind = 'm'

    -- Functions
    union all
    select 'SECURITY DEFINER without a fixed search_path', name, 'set search_path = <its schema>, pg_temp'
    from functions where prosecdef and not exists (select from unnest(proconfig) x where x like 'search\_path=%, pg\_temp')
    union all
    select 'SECURITY DEFINER that runs text as SQL', name, 'write the statement out'
    from functions where prosecdef and prosrc ~* '\mexecute\M'
    union all
    select 'a function that everybody may execute', name, format('revoke execute on function %s from public', name)
    from functions where proacl is null or exists (select from aclexplode(proacl) a where a.grantee = 0)
    union all
    select 'a function that a reader may execute and that does not ask who it is', f.name, format('revoke execute on function %s from %s', f.name, a.grantee::regrole)
    from functions f, aclexplode(f.proacl) a
    where a.grantee not in (0, f.proowner) and a.grantee not in (select oid from services)
      and f.oid not in ('site.clock'::regproc, 'gate.session'::regproc) and f.prosrc !~ '(from|in \(select) gate\.(whoami|party|records)\(\)'
      and f.prosrc !~ '(select gate\.party\(\)|and gate\.may_verify\(participant\))'
    union all
    select 'a function that trusts a setting', name, 'ask gate.whoami(), which checks the signature'
    from functions where prosrc ~* 'current_setting' and oid <> 'gate.whoami'::regproc
    union all
    select 'a NOTIFY that carries something', name, 'notify with nothing: everybody may listen'
    from functions where prosrc ~* '\mnotify\s+\w+\s*,' or prosrc ~* '\mpg_notify\s*\([^,]*,(?!\s*''''\s*\))'
    union all
    select 'a function in a language that reaches out', f.name, format('drop function %s', f.name)
    from functions f join pg_language l on l.oid = f.prolang where l.lanname not in ('sql', 'plpgsql')

    -- Privileges
    union all
    select 'a table that everybody may use', g.name || g.of, format('revoke all on %s from public', g.name)
    from grants g where g.grantee = 0
    union all
    select 'a table that a role may ' || g.privilege, g.name || g.of || ': ' || g.grantee::regrole,
           format('revoke %s%s on %s from %s', g.privilege, g.of, g.name, g.grantee::regrole)
    from grants g
    where g.grantee <> 0 and case
        when g.relkind = 'S' then false
        when not g.durable then not (
            g.grantee::regrole::text = 'goldenthread_' || g.nspname and g.privilege = 'select'
            or g.grantee::regrole::text = 'goldenthread_projector' and g.privilege in ('select', 'insert', 'delete')
        )
        when g.privilege = 'select' then g.name <> 'gate.consent' and g.grantee not in (select oid from services)
        else (g.name, g.privilege, g.grantee::regrole::text) not in (
            ('log.view', 'insert', 'goldenthread_projector'), ('log.view', 'update', 'goldenthread_projector'),
            ('log.view', 'delete', 'goldenthread_projector'), ('log.parked', 'insert', 'goldenthread_projector'),
            ('log.parked', 'update', 'goldenthread_projector'), ('log.parked', 'delete', 'goldenthread_projector'),
            ('log.checkpoint', 'insert', 'goldenthread_sealer'), ('log.cosignature', 'insert', 'goldenthread_sealer')
        )
    end
    union all
    select 'a sequence that a role may use', g.name || ': ' || g.grantee::regrole,
           format('revoke all on sequence %s from %s', g.name, g.grantee::regrole)
    from grants g where g.relkind = 'S' and g.grantee <> 0
    union all
    select 'a schema in which others may create', n.nspname || ': ' || case when a.grantee = 0 then 'public' else a.grantee::regrole::text end,
           format('revoke create on schema %I from %s', n.nspname, case when a.grantee = 0 then 'public' else a.grantee::regrole::text end)
    from ours n, aclexplode(n.nspacl) a where a.privilege_type = 'CREATE' and a.grantee <> n.nspowner
    union all
    select 'a schema that everybody may use', n.nspname, format('revoke usage on schema %I from public', n.nspname)
    from ours n, aclexplode(n.nspacl) a where a.grantee = 0 and a.privilege_type = 'USAGE' and n.nspname <> 'public'
    union all
    select 'this database lets ' || case when a.grantee = 0 then 'everybody' else a.grantee::regrole::text end || ' ' || lower(a.privilege_type),
           d.datname, format('revoke %s on database %I from %s', lower(a.privilege_type), d.datname,
                             case when a.grantee = 0 then 'public' else a.grantee::regrole::text end)
    from pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
    where d.datname = current_database() and a.grantee <> d.datdba
      and (a.grantee = 0 or a.privilege_type <> 'CONNECT' and a.grantee in (select oid from roles))
    union all
    select 'another database that lets everybody in, and shows the whole server''s sessions and locks', d.datname,
           format('revoke connect on database %I from public', d.datname)
    from pg_database d
    where d.datallowconn and d.datname <> current_database() and has_database_privilege('public', d.oid, 'connect')
    union all
    select 'privileges by default', a.defaclrole::regrole || coalesce(' in ' || nullif(a.defaclnamespace, 0)::regnamespace, ''),
           'alter default privileges ... revoke: what may be done is said in the files'
    from pg_default_acl a where exists (select from aclexplode(a.defaclacl) x where x.grantee <> a.defaclrole)
    union all
    select 'the server''s statistics, locks, counters or sessions are open to everybody',
           min(t.name) || case when count(*) > 1 then format(' and %s more', count(*) - 1) else '' end,
           'as a superuser, goldenthread migrate, or the file privileges/2_server.sql'
    from (
        select t.name from site.telling() t
        where case t.kind when 'table' then has_table_privilege('public', t.name, 'select')
                          else has_function_privilege('public', t.name, 'execute') end
        union all
        select 'pg_class (reltuples)' where has_column_privilege('public', 'pg_class'::regclass, 'reltuples', 'select')
    ) t having count(*) > 0

    -- Roles
    union all
    select 'a role that may do more than it should', r.rolname, format('alter role %I nosuperuser nobypassrls nocreaterole nocreatedb noreplication', r.rolname)
    from pg_roles r join roles o on o.oid = r.oid
    where r.rolsuper or r.rolbypassrls or r.rolcreaterole or r.rolcreatedb or r.rolreplication
    union all
    select 'a group that may log in', rolname, format('alter role %I nologin', rolname)
    from pg_roles where rolname ~ '^goldenthread_' and rolcanlogin and oid not in (select oid from logins)
    union all
    select 'a role that is a member of another', r.rolname || ' of ' || g.rolname, format('revoke %I from %I', g.rolname, r.rolname)
    from roles r join pg_auth_members m on m.member = r.oid join pg_roles g on g.oid = m.roleid
    where g.rolname !~ '^goldenthread_' or r.oid not in (select oid from logins)
       or r.rolname not like '%\_' || replace(substr(g.rolname, 14), '_', '\_') || '\_login' -- each of its own group alone
    union all
    select 'a role of the application that owns something', r.rolname || ': ' || pg_describe_object(d.classid, d.objid, d.objsubid),
           'drop it, or give it to the owner of the database'
    from pg_shdepend d join roles r on r.oid = d.refobjid
    where d.refclassid = 'pg_authid'::regclass and d.deptype = 'o'
      and d.dbid in (0, (select oid from pg_database where datname = current_database()))
    union all
    select 'a login that gives its sessions settings', l.rolname, format('alter role %I reset all', l.rolname)
    from logins l where exists (
        select from pg_db_role_setting s
        where s.setrole = l.oid and s.setdatabase in (0, (select oid from pg_database where datname = current_database()))
    )

    -- What reaches out
    union all
    select 'an extension that the site does not use', extname, format('drop extension %I', extname)
    from pg_extension where extname <> 'plpgsql'
    union all
    select 'something that takes rows out of the database', name, 'drop it'
    from (
        select 'publication ' || pubname as name from pg_publication
        union all select 'foreign server ' || srvname from pg_foreign_server
        union all select 'event trigger ' || evtname from pg_event_trigger
    ) t
)
select distinct finding, what, way_out from finding order by 1, 2;
