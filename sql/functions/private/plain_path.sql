-- PostgREST finds /rpc/%73ync_profile too, and gives the path as it came; a limit must know it under its one name. Bytes that are no text
-- name nothing there either, and stay as they are.
create or replace function private.plain_path(p_path text)
returns text
language plpgsql
immutable
security invoker
set search_path = ''
as $$
begin
  if strpos(p_path, '%') = 0 then
    return p_path;
  end if;
  return (
    select convert_from(
      string_agg(case when m.part[1] ~ '^%..' then decode(substr(m.part[1], 2), 'hex') else convert_to(m.part[1], 'UTF8') end, '' order by m.n),
      'UTF8'
    )
    from regexp_matches(p_path, '%[0-9A-Fa-f]{2}|[^%]+|%', 'g') with ordinality as m (part, n)
  );
exception when character_not_in_repertoire then
  return p_path;
end
$$;

comment on function private.plain_path(text) is 'A request''s path without percent-encoding.';
