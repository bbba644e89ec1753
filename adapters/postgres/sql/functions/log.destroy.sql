-- Destroy the key of a subject, a participant or a matter; of one that never had any, so that it never gets one.
create or replace function log.destroy(subject uuid) returns void
language sql volatile security definer set search_path = log, pg_temp
as $$
    insert into log.key as k (key_id, subject_id, wrapped, made_at, destroyed_at)
    values (gen_random_uuid(), subject, null, site.clock(), site.clock())
    on conflict (subject_id) do update set wrapped = null, destroyed_at = coalesce(k.destroyed_at, site.clock())
$$;
