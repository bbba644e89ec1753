-- Let the planner keep no statistics of what a schema's columns hold. By the estimates of EXPLAIN, which nobody can be
-- refused, one would read them value by value, row security or not.
create or replace function site.keep_no_statistics(of_schema text) returns void
language plpgsql set search_path = site, pg_temp
as $$
declare
    tables record;
begin
    for tables in
        select c.oid::regclass as name, string_agg(format('alter %I set statistics 0', a.attname), ', ') as columns
        from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        where c.relnamespace = of_schema::regnamespace and c.relkind = 'r'
        group by c.oid
    loop
        execute format('alter table %s %s', tables.name, tables.columns);
    end loop;
end $$;
