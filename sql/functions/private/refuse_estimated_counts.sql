-- `Prefer: count=planned` answers with the planner's guess, which is made from statistics over everybody's rows: filtered by
-- another person's id it tells how many rows that person has. `estimated` becomes the same guess above 1000 rows. The guess is made
-- before any policy is asked, so the request is refused before there is one. For the function that runs before each request.
create or replace function private.refuse_estimated_counts(p_headers jsonb)
returns void
language plpgsql
stable
security invoker
set search_path = ''
as $$
begin
  if not private.is_service() and p_headers ->> 'prefer' ~* 'count\s*=\s*"?(planned|estimated)' then
    raise sqlstate 'PT400' using
      message = 'Only exact counts are given.', detail = 'COUNT_NOT_EXACT', hint = 'Send Prefer: count=exact, or no count.';
  end if;
end
$$;

comment on function private.refuse_estimated_counts(jsonb) is 'Refuses counts that the planner guesses from everybody''s rows.';
grant execute on function private.refuse_estimated_counts(jsonb) to anon, authenticated, service_role;
