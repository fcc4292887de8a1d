-- Definer: the table shows everybody their own alone. For holders of users.read.
create or replace function private.user_sign_ins(p_user_id uuid, p_limit integer)
returns setof public.login_events
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  perform private.require_permission('users.read');
  if p_limit is null or p_limit not between 1 and 500 then
    raise sqlstate 'PT422' using
      message = 'p_limit takes 1 to 500.', detail = 'LIMIT_OUT_OF_RANGE', hint = 'Ask for fewer.';
  end if;
  return query
  select e.* from public.login_events as e
  where e.user_id = p_user_id
  order by e.at desc, e.id desc
  limit p_limit;
end
$$;

comment on function private.user_sign_ins(uuid, integer) is 'Somebody''s sign-ins, newest first.';
grant execute on function private.user_sign_ins(uuid, integer) to authenticated, service_role;
