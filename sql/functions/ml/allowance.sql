-- Locks the model's sum of the day, so that two claims cannot spend the same rest. Tokens are known only afterwards; a batch is
-- cut to what fits at the day's average, and one that overshoots is the day's last.
create or replace function ml.allowance(p_model text, p_limit integer, out calls integer, out each_owner bigint, out shut uuid[])
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_day constant date := (clock_timestamp() at time zone 'UTC')::date;
  v_sum ml.usage;
begin
  insert into ml.usage (model, day) values (p_model, v_day) on conflict do nothing;
  select u.* into v_sum from ml.usage as u
  where u.model = p_model and u.day = v_day and u.owner_id is null
  for update;

  select coalesce(min(
    case b.unit
      when 'calls' then b.per_day - v_sum.calls
      when 'tokens' then ceil((b.per_day - v_sum.tokens) / greatest(1, v_sum.tokens::numeric / greatest(1, v_sum.calls)))
    end
  ), p_limit)
  into calls
  from ml.budgets as b
  where b.model = p_model and b.scope = 'model';
  calls := greatest(0, least(calls, p_limit));

  select min(b.per_day) into each_owner from ml.budgets as b where b.model = p_model and b.scope = 'owner' and b.unit = 'calls';
  select coalesce(array_agg(distinct u.owner_id), '{}') into shut
  from ml.budgets as b
  join ml.usage as u on u.model = b.model and u.day = v_day and u.owner_id is not null
  where b.model = p_model and b.scope = 'owner'
    and case b.unit when 'calls' then u.calls else u.tokens end >= b.per_day;
end
$$;

comment on function ml.allowance(text, integer) is
  'How many calls of a model with a budget are still free today, at most p_limit, how many each owner has a day, and the owners whose own budget is spent.';
