create or replace function public.owned_objects(p_user_id uuid)
returns setof public.owned_object
language sql
stable
security invoker
set search_path = ''
begin atomic
  select * from private.owned_objects(p_user_id);
end;

comment on function public.owned_objects(uuid) is E'The files of a person (secret key)\n\nThose they uploaded, and those in a folder of their id that nobody else did.';
grant execute on function public.owned_objects(uuid) to service_role;
