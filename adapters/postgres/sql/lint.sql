-- Every row is a finding: what would let a reader see or do more than its policies say. Run it after `migrate`.
with ours as (
    select oid, nspname in ('site', 'log', 'gate', 'stream', 'access') as durable
    from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema'
), relation as (
    select c.*, o.durable from pg_class c join ours o on o.oid = c.relnamespace
), grants as (
    select r.oid, r.durable, a.grantee, a.privilege_type from relation r, aclexplode(r.relacl) a
    where a.grantee <> r.relowner
)
select 'a view''s table without forced row security' as finding, oid::regclass::text as what from relation
where relkind in ('r', 'p') and not durable and not (relrowsecurity and relforcerowsecurity)
union all
select 'the gate without row security', oid::regclass::text from relation
where oid = 'gate.consent'::regclass and not relrowsecurity
union all
select 'a policy that is permissive for everybody', p.polrelid::regclass || '.' || p.polname
from pg_policy p join relation r on r.oid = p.polrelid where 0 = any (p.polroles)
union all
select 'a reader''s policy that asks for no party', p.polrelid::regclass || '.' || p.polname
from pg_policy p join relation r on r.oid = p.polrelid
where coalesce(pg_get_expr(p.polqual, p.polrelid), '') !~ 'SELECT gate.(party|records)\(\)'
  and p.polroles <> array['goldenthread_projector'::regrole::oid]
union all
select 'a policy that calls a function once per row', p.polrelid::regclass || '.' || p.polname
from pg_policy p join relation r on r.oid = p.polrelid
where regexp_replace(coalesce(pg_get_expr(p.polqual, p.polrelid), ''), 'SELECT (gate.party|gate.records|site.clock)\(\)', '', 'g')
      ~ '(gate|site|log)\.[a-z_]+\('
union all
select 'a view without security_invoker', oid::regclass::text from relation
where relkind = 'v' and not coalesce(reloptions @> array['security_invoker=true'], false)
union all
select 'a materialized view, which ignores row security', oid::regclass::text from relation where relkind = 'm'
union all
select 'SECURITY DEFINER without a fixed search_path', p.oid::regprocedure::text
from pg_proc p join ours o on o.oid = p.pronamespace
where p.prosecdef and not exists (select from unnest(p.proconfig) x where x like 'search\_path=%, pg\_temp')
union all
select 'a function that everybody may execute', p.oid::regprocedure::text
from pg_proc p join ours o on o.oid = p.pronamespace
where p.proacl is null or exists (select from aclexplode(p.proacl) a where a.grantee = 0)
union all
select 'a table that everybody may use', oid::regclass::text from grants where grantee = 0
union all
select 'a durable table that a role may ' || lower(privilege_type), oid::regclass::text || ' ' || grantee::regrole
from grants
where durable and privilege_type <> 'SELECT' and (oid::regclass::text, privilege_type, grantee::regrole::text) not in (
    ('log.view', 'INSERT', 'goldenthread_projector'), ('log.view', 'UPDATE', 'goldenthread_projector'),
    ('log.view', 'DELETE', 'goldenthread_projector'), ('log.parked', 'INSERT', 'goldenthread_projector'),
    ('log.parked', 'UPDATE', 'goldenthread_projector'), ('log.parked', 'DELETE', 'goldenthread_projector'),
    ('log.checkpoint', 'INSERT', 'goldenthread_sealer')
)
union all
select 'a reader''s table that another role may use', r.oid::regclass || ' ' || r.grantee::regrole
from grants r join pg_class c on c.oid = r.oid join pg_namespace n on n.oid = c.relnamespace
where not r.durable and r.grantee <> 0
  and r.grantee::regrole::text not in ('goldenthread_' || n.nspname, 'goldenthread_projector')
union all
select 'a login role that may bypass row security or make roles', r.rolname from pg_roles r
where (r.rolsuper or r.rolbypassrls or r.rolcreaterole)
  and exists (
      select from pg_auth_members m join pg_roles g on g.oid = m.roleid
      where m.member = r.oid and not m.admin_option and g.rolname like 'goldenthread\_%'
  )
union all
select 'a role of ours that owns something', c.oid::regclass::text from relation c join pg_roles r on r.oid = c.relowner
where r.rolname like 'goldenthread\_%'
union all
select 'an index column whose operator is not leakproof, so that policies keep its index from use',
       a.attrelid::regclass || '.' || a.attname
from pg_index i
join relation c on c.oid = i.indrelid and c.relrowsecurity
join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)
join pg_operator op on op.oprname in ('=', '<', '>') and op.oprleft = a.atttypid and op.oprright = a.atttypid
join pg_proc f on f.oid = op.oprcode
where not f.proleakproof
order by 1, 2;
