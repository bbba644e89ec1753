-- The key of a subject, made with what the caller offers if it has none yet. A destroyed key stays destroyed. GT008: what
-- is offered is wrapped by another site key than the one in use; the first that wraps any is.
create or replace function log.wrapped_key(subject uuid, offered_id uuid, offered bytea, offered_by text)
returns table (key_id uuid, wrapped bytea, wrapped_by text)
language plpgsql volatile security definer set search_path = log, pg_temp
as $$
#variable_conflict use_column
begin
    insert into log.site_key (name, since) values (offered_by, clock_timestamp()) on conflict do nothing;
    -- Until this is committed no other site key comes into use: whoever replaces it finds the new key, too.
    perform from log.site_key s where s.name = offered_by for share;
    if not found then
        raise exception 'another site key is in use' using errcode = 'GT008';
    end if;
    return query
    insert into log.key as k (key_id, subject_id, wrapped, wrapped_by, made_at)
    values (offered_id, subject, offered, offered_by, site.clock())
    on conflict (subject_id) do update set subject_id = excluded.subject_id
    returning k.key_id, k.wrapped, k.wrapped_by;
end $$;
