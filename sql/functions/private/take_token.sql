-- Called by private.charge() only. A bucket is the time at which it will be full again: each token taken puts that off by its cost, and
-- there is none while it lies too far ahead. It is spread over up to 32 rows, each with its share of tokens and of refill, since a
-- request holds its row until it commits: two requests of one caller take two rows and never wait for each other. An advisory lock
-- says which are taken. A row that does not exist is a full one, so who asks seldom has one row, and full ones are forgotten.
create or replace function private.take_token(p_name text, p_caller text, p_capacity integer, p_refill double precision)
returns double precision
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_slots constant integer := least(32, p_capacity, greatest(4, ceil(p_refill)));
  v_rest constant integer := p_capacity % v_slots; -- so many of the rows hold one more than the others
  v_cost constant interval := make_interval(secs => v_slots / p_refill);
  v_now constant timestamptz := clock_timestamp();
  v_latest constant timestamptz := v_now + (p_capacity / v_slots - 1) * v_cost;
  v_lock constant integer := hashtext(p_name || ' ' || p_caller);
  v_slot integer;
begin
  for v_try in 1 .. v_slots loop
    -- CASE, so that no lock is taken on a row that has nothing to give.
    select b.slot into v_slot from private.rate_buckets as b
    where b.caller = p_caller and b.limit_name = p_name and b.slot < v_slots
      and case
        when b.full_at <= v_latest + (b.slot < v_rest)::integer * v_cost then pg_try_advisory_xact_lock(v_lock, b.slot)
        else false
      end
    limit 1;

    if v_slot is null then
      select s.slot into v_slot from generate_series(0, v_slots - 1) as s (slot)
      where case
        when not exists (
          select from private.rate_buckets as b where b.caller = p_caller and b.limit_name = p_name and b.slot = s.slot
        ) then pg_try_advisory_xact_lock(v_lock, s.slot)
        else false
      end
      limit 1;
    end if;
    exit when v_slot is null;

    insert into private.rate_buckets as b (caller, limit_name, slot, full_at)
    values (p_caller, p_name, v_slot, v_now + v_cost)
    on conflict (caller, limit_name, slot) do update set full_at = greatest(b.full_at, v_now) + v_cost
    where b.full_at <= v_latest + (b.slot < v_rest)::integer * v_cost;
    if found then
      return 0;
    end if;
    -- Between the look and the lock another request took the row's last token: look again.
  end loop;

  return coalesce((
    select extract(epoch from min(b.full_at - (b.slot < v_rest)::integer * v_cost) - v_latest)
    from private.rate_buckets as b
    where b.caller = p_caller and b.limit_name = p_name and b.slot < v_slots
      and b.full_at > v_latest + (b.slot < v_rest)::integer * v_cost
  ), 1);
end
$$;

comment on function private.take_token(text, text, integer, double precision) is
  'Takes one token from a caller''s bucket; gives 0, or the seconds until there is one.';
