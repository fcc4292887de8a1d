-- Definer: the API's roles may not list other people's files. A file is a person's if they uploaded it, or if it stands in a
-- folder of their id and nobody else uploaded it. Dynamic, because Storage makes its tables when it first starts.
create or replace function private.owned_objects(p_user_id uuid)
returns setof public.owned_object
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  if to_regclass('storage.objects') is null then
    return;
  end if;
  return query execute $sql$
    select o.bucket_id, o.name, o.metadata, o.created_at
    from storage.objects as o
    where o.owner_id = $1::text
      or (o.owner_id is null and $1::text = any (string_to_array(o.name, '/')))
    order by 1, 2
  $sql$ using p_user_id;
end
$$;

comment on function private.owned_objects(uuid) is 'The Storage objects that are a person''s.';
grant execute on function private.owned_objects(uuid) to service_role;
