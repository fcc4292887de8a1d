create or replace function ml.ungenerate(p_name text)
returns void
language plpgsql
volatile
security invoker
set search_path = ''
set client_min_messages = warning
as $$
declare
  v_routine regprocedure;
begin
  for v_routine in
    select p.oid::regprocedure
    from pg_proc as p
    where p.pronamespace = 'ml'::regnamespace
      and p.proname = any (array[
        p_name || '__read', 'tg_' || p_name || '__insert', 'tg_' || p_name || '__update', 'tg_' || p_name || '__delete'
      ])
  loop
    execute format('drop function %s cascade', v_routine);
  end loop;
end
$$;

comment on function ml.ungenerate(text) is 'Drops what ml.generate defined for an attachment; the triggers go with their functions.';
