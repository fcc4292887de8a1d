create or replace function ml.detach_triggers(p_attachment_id smallint)
returns void
language plpgsql
volatile
security invoker
set search_path = ''
set client_min_messages = warning
as $$
declare
  v_name text;
  v_routine regprocedure;
begin
  select a.name into strict v_name from ml.attachments as a where a.id = p_attachment_id;
  for v_routine in
    select p.oid::regprocedure
    from pg_proc as p
    where p.pronamespace = 'ml'::regnamespace
      and (
        p.proname = v_name || '__input'
        or p.proname in ('tg_' || v_name || '__insert', 'tg_' || v_name || '__update')
      )
  loop
    execute format('drop function %s cascade', v_routine);
  end loop;
end
$$;

comment on function ml.detach_triggers(smallint) is 'Drops what ml.attach_triggers generated; the triggers go with their functions.';
