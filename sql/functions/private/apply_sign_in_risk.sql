-- An alarm is raised once, and not for what is long past, so that a new version of the model may score old sign-ins anew.
create or replace function private.apply_sign_in_risk(p_row_keys text[], p_outputs jsonb[], p_model_version text)
returns void
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_alarm record;
begin
  for v_alarm in
    with answers as (
      select o.row_key::bigint as id, (o.output ->> 'risk')::double precision as risk,
        array(select jsonb_array_elements_text(o.output -> 'reasons')) as reasons
      from unnest(p_row_keys, p_outputs) as o (row_key, output)
    ), before as (
      select e.id, e.alarmed from public.login_events as e join answers as a on a.id = e.id
    )
    update public.login_events as e set
      risk = a.risk, reasons = a.reasons, model_version = p_model_version,
      alarmed = e.alarmed or (a.risk >= p.alarm_from and e.at > now() - interval '1 day')
    from answers as a
    join before as b on b.id = a.id
    cross join private.sign_in_policy as p
    where e.id = a.id
    returning e.id, e.user_id, e.at, e.country, e.risk, e.reasons, e.alarmed and not b.alarmed as is_new
  loop
    if v_alarm.is_new then
      perform private.tell_of_sign_in(
        v_alarm.user_id,
        jsonb_build_object(
          'login_event_id', v_alarm.id, 'at', v_alarm.at, 'country', v_alarm.country,
          'risk', v_alarm.risk, 'reasons', v_alarm.reasons
        )
      );
    end if;
  end loop;
end
$$;

comment on function private.apply_sign_in_risk(text[], jsonb[], text) is
  'Writes the model''s risks to their sign-ins, and tells people of those at or above the threshold.';
