-- What one persona meets: the statement runs under their role and claims, and whatever it did is undone.
grant rowcast_service to current_user; -- until the rollback, so that its role can be taken

-- How a statement ended: the number of its rows, DENIED by a grant or a policy, the token of a refusal, or the error.
create function pg_temp.outcome_of_error(p_state text, p_detail text, p_message text) returns text
language sql as $$
  select case
    when p_state = '42501' then 'DENIED'
    when p_state ^@ 'PT' then coalesce(nullif(p_detail, ''), p_state)
    when p_state ^@ '23' then 'CONSTRAINT' -- rights are checked before constraints: it was let through
    else format('error %s: %s', p_state, p_message)
  end
$$;

-- Whether the statement reached the row: by the number of its rows, or, where it names none (so that no other policy
-- stands before the one that is tried), by what became of the row, which p_probe finds.
create function pg_temp.tried(p_role text, p_claims text, p_before text, p_statement text, p_probe text) returns text
language plpgsql as $$
declare
  v_rows bigint;
  v_was tid;
  v_is tid;
  v_state text;
  v_detail text;
  v_message text;
begin
  -- Outside the block below: a failure here is no refusal.
  execute p_before;
  if p_probe <> '' then
    execute p_probe into strict v_was;
  end if;
  perform set_config('role', p_role, true), set_config('request.jwt.claims', p_claims, true);
  begin
    execute p_statement;
    get diagnostics v_rows = row_count;
    perform set_config('role', 'none', true);
    if p_probe <> '' then
      execute p_probe into v_is;
      v_rows := (v_is is distinct from v_was)::integer;
    end if;
    raise exception using errcode = 'UNDO0', message = v_rows::text;
  exception when others then
    get stacked diagnostics v_state = returned_sqlstate, v_detail = pg_exception_detail, v_message = message_text;
  end;
  perform set_config('role', 'none', true), set_config('request.jwt.claims', '', true);
  return case v_state when 'UNDO0' then v_message else pg_temp.outcome_of_error(v_state, v_detail, v_message) end;
end
$$;

-- A function's answer as text: each row as JSON, without the rows that are NULL.
create function pg_temp.called(p_role text, p_claims text, p_call text, out outcome text, out answer text)
language plpgsql as $$
declare
  v_state text;
  v_detail text;
  v_message text;
begin
  perform set_config('role', p_role, true), set_config('request.jwt.claims', p_claims, true);
  begin
    execute format('select string_agg(to_jsonb(x)::text, E''\n'') filter (where not (x is null)) from %s as x', p_call)
      into answer;
    raise exception using errcode = 'UNDO0', message = 'ANSWERED';
  exception when others then
    get stacked diagnostics v_state = returned_sqlstate, v_detail = pg_exception_detail, v_message = message_text;
  end;
  perform set_config('role', 'none', true), set_config('request.jwt.claims', '', true);
  outcome := case v_state when 'UNDO0' then v_message else pg_temp.outcome_of_error(v_state, v_detail, v_message) end;
end
$$;
