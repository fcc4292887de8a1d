-- Definer: reads everybody's sign-ins, for holders of users.read.
create or replace function private.sign_in_quality(p_days integer)
returns public.sign_in_quality
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_found public.sign_in_quality;
begin
  perform private.require_permission('users.read');
  if p_days is null or p_days not between 1 and 400 then
    raise sqlstate 'PT422' using
      message = 'p_days takes 1 to 400.', detail = 'DAYS_OUT_OF_RANGE', hint = 'Sign-ins are kept for 400 days.';
  end if;
  select
    count(*), count(e.risk), count(*) filter (where e.alarmed),
    count(*) filter (where e.alarmed and o.was_me is false),
    count(*) filter (where e.alarmed and o.was_me),
    count(*) filter (where not e.alarmed and o.was_me is false),
    round(count(*) filter (where e.alarmed and o.was_me is false)::numeric / nullif(count(*) filter (where e.alarmed and o.was_me is not null), 0), 4),
    round(count(*) filter (where e.alarmed)::numeric / nullif(count(e.risk), 0), 4)
  into v_found
  from public.login_events as e
  left join lateral (
    select (x.truth ->> 'was_me')::boolean as was_me from public.prediction_outcomes as x
    where x.prediction = 'sign_in_risk' and x.row_key = e.id::text
  ) as o on true
  where e.succeeded and e.at >= now() - make_interval(days => p_days);
  return v_found;
end
$$;

comment on function private.sign_in_quality(integer) is 'How often the model raised an alarm, and what people said to it.';
grant execute on function private.sign_in_quality(integer) to authenticated, service_role;
