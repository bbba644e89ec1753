-- The key of a subject, made with what the caller offers if it has none yet. A destroyed key stays destroyed.
create or replace function log.wrapped_key(subject uuid, offered_id uuid, offered bytea)
returns table (key_id uuid, wrapped bytea)
language sql volatile security definer set search_path = log, pg_temp
as $$
    insert into log.key as k (key_id, subject_id, wrapped, made_at) values (offered_id, subject, offered, site.clock())
    on conflict (subject_id) do update set subject_id = excluded.subject_id
    returning k.key_id, k.wrapped
$$;
