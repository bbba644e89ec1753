-- Who the reader is: from a context that the application signs and SQL cannot forge. Null unless the signature and the
-- time hold, the session is the one it was signed for and logged in by that reader's own role, and the person's authority
-- is alive.
-- app.context = reader|party|staff|end in epoch seconds|session|hex HMAC-SHA256 of all before
create or replace function gate.whoami(out reader text, out party uuid, out staff uuid)
language plpgsql stable security definer set search_path = gate, pg_temp
as $$
declare
    context text := current_setting('app.context', true);
    part text[];
    k site.context_key;
begin
    if context is null or context !~ (
        '^[a-z_]+(\|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}){2}\|[0-9]{1,12}\|[0-9.]{1,40}\|[0-9a-f]{64}$'
    ) then
        return;
    end if;
    part := string_to_array(context, '|');
    select * into k from site.context_key;
    if encode(sha256(k.outer_pad || sha256(k.inner_pad || convert_to(array_to_string(part[1:5], '|'), 'UTF8'))), 'hex')
       is distinct from part[6]  -- without a key, nobody is anybody
       or part[4]::bigint < extract(epoch from clock_timestamp())
       or part[5] <> gate.session()
       or not pg_has_role(session_user, 'goldenthread_' || part[1], 'member')
       or not exists (
           select from gate.authority a where a.staff_id = part[3]::uuid and a.party_id = part[2]::uuid and a.alive
       ) then
        return;
    end if;
    reader := part[1];
    party := part[2]::uuid;
    staff := part[3]::uuid;
end $$;
