-- Called by private.charge() only. As private.take_token(), but in settings of this database session, which a READ ONLY transaction may
-- change: PostgREST keeps its sessions, so each of them counts what came through it. 256 places for all callers of a session; who
-- finds another there takes it over, full.
create or replace function private.take_read_token(p_name text, p_caller text, p_capacity integer, p_refill double precision)
returns double precision
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_caller constant integer := hashtext(p_name || ' ' || p_caller);
  v_setting constant text := 'rowcast.reads_' || (v_caller & 255);
  v_held constant text[] := string_to_array(current_setting(v_setting, true), ' ');
  v_now constant double precision := extract(epoch from clock_timestamp());
  v_latest constant double precision := v_now + (p_capacity - 1) / p_refill;
  v_full_at double precision := v_now;
begin
  if v_held[1] = v_caller::text then
    v_full_at := greatest(v_held[2]::double precision, v_now);
  end if;
  if v_full_at > v_latest then
    return v_full_at - v_latest;
  end if;
  perform set_config(v_setting, v_caller || ' ' || (v_full_at + 1 / p_refill), false);
  return 0;
end
$$;

comment on function private.take_read_token(text, text, integer, double precision) is
  'Takes one token from a caller''s bucket in this database session; gives 0, or the seconds until there is one.';
