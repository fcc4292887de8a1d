create or replace function ml.spend(p_model text, p_jobs ml.owed[], p_calls integer, p_tokens bigint)
returns void
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_day constant date := (clock_timestamp() at time zone 'UTC')::date;
  v_size constant integer := cardinality(p_jobs);
begin
  if v_size = 0 or not exists (select from ml.budgets as b where b.model = p_model) then
    return;
  end if;
  -- Tokens come for the batch; each owner bears a part in proportion. What was booked yesterday is not taken back today.
  insert into ml.usage as u (model, day, owner_id, calls, tokens)
  select p_model, v_day, x.owner_id, x.calls, x.tokens
  from (
    select j.owner_id, count(*) * p_calls, count(*) * p_tokens / v_size
    from unnest(p_jobs) as j
    where j.row_key is not null and j.owner_id <> ml.nobody()
    group by j.owner_id
    union all
    select null, v_size * p_calls, p_tokens
  ) as x (owner_id, calls, tokens)
  where p_calls >= 0 or exists (
    select from ml.usage as b where b.model = p_model and b.day = v_day and b.owner_id is not distinct from x.owner_id
  )
  order by x.owner_id nulls first
  on conflict (model, day, owner_id) do update set
    calls = greatest(0, u.calls + excluded.calls), tokens = greatest(0, u.tokens + excluded.tokens);
end
$$;

comment on function ml.spend(text, ml.owed[], integer, bigint) is
  'Books calls (p_calls for each job; -1 takes them back) and tokens of a batch on a model with a budget.';
