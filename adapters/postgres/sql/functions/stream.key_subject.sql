-- Under whose name the key lies that seals what one party is told of one participant, from this version on.
create or replace function stream.key_subject(party uuid, participant uuid, generation bigint) returns uuid
language sql immutable
as $$
    select encode(substr(sha256(convert_to(format('stream %s %s %s', party, participant, generation), 'UTF8')), 1, 16),
                  'hex')::uuid
$$;
