create or replace function public.my_sign_ins(p_limit integer default 50)
returns setof public.login_events
language plpgsql
stable
security invoker
set search_path = ''
as $$
begin
  if p_limit is null or p_limit not between 1 and 500 then
    raise sqlstate 'PT422' using
      message = 'p_limit takes 1 to 500.', detail = 'LIMIT_OUT_OF_RANGE', hint = 'Ask for fewer.';
  end if;
  return query
  select e.* from public.login_events as e
  where e.user_id = (select auth.uid())
  order by e.at desc, e.id desc
  limit p_limit;
end
$$;

comment on function public.my_sign_ins(integer) is
  E'My sign-ins, newest first\n\nSuccesses and failed passwords, with the model''s risk (0 to 1) and its reasons a moment after each success. Refusal: LIMIT_OUT_OF_RANGE.';
grant execute on function public.my_sign_ins(integer) to authenticated;
