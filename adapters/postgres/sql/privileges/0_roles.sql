-- Group roles, the same on every site of a server. Each site's login roles are members; nobody logs in as these.
do $$
declare
    role text;
begin
    foreach role in array array[
        'goldenthread_recorder', 'goldenthread_projector', 'goldenthread_sealer', 'goldenthread_case_manager',
        'goldenthread_liaison_prosecutor', 'goldenthread_police', 'goldenthread_recipient', 'goldenthread_program',
        'goldenthread_court', 'goldenthread_observer', 'goldenthread_counsel', 'goldenthread_legal_services',
        'goldenthread_participant', 'goldenthread_privacy', 'goldenthread_access'
    ] loop
        if not exists (select from pg_roles where rolname = role) then
            begin
                execute format('create role %I nologin', role);
            exception when duplicate_object or unique_violation then
                null; -- another site of the same server made it meanwhile
            end;
        end if;
    end loop;
end $$;
