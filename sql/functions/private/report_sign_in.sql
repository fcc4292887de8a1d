-- Definer: people may not write the table. Touches the caller's own row only.
-- A thief answers too. So "it was me" is taken only from a session that was there before the sign-in: one that came later may be his
-- second, which his first made look ordinary. A session under suspicion vouches for nothing, and disowns nothing that came before it;
-- a token without a session cannot say from where it speaks, so it vouches for nothing either.
create or replace function private.report_sign_in(p_id bigint, p_was_me boolean)
returns public.login_events
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_caller uuid := private.require_session();
  v_session text := auth.jwt() ->> 'session_id';
  v_row public.login_events;
  v_since timestamptz;
  v_is_suspect boolean;
begin
  if p_was_me is null then
    raise sqlstate 'PT422' using
      message = 'p_was_me is missing.', detail = 'ANSWER_MISSING', hint = 'Say true or false.';
  end if;
  select e.* into v_row from public.login_events as e where e.id = p_id and e.user_id = v_caller for update;
  if not found then
    raise sqlstate 'PT404' using
      message = 'You have no such sign-in.', detail = 'SIGN_IN_NOT_FOUND', hint = 'my_sign_ins() lists yours.';
  end if;
  select e.at, e.alarmed and e.confirmed is not true into v_since, v_is_suspect
  from public.login_events as e
  where e.user_id = v_caller and e.session_id::text = v_session;
  if not found then -- begun before sign-ins were noted
    select s.created_at, false into v_since, v_is_suspect from auth.sessions as s where s.user_id = v_caller and s.id::text = v_session;
  end if;
  if p_was_me and (v_since is null or v_is_suspect or v_row.succeeded and v_since >= v_row.at)
    or not p_was_me and v_is_suspect and v_row.at < v_since
  then
    raise sqlstate 'PT403' using
      message = 'This session cannot vouch for this sign-in.', detail = 'SESSION_UNDER_SUSPICION',
      hint = 'Answer from a session that was there before, and raised no alarm.';
  end if;

  update public.login_events as e set confirmed = p_was_me, confirmed_at = now() where e.id = p_id returning * into v_row;
  insert into public.prediction_outcomes as o (prediction, row_key, owner_id, prediction_id, predicted, truth)
  select
    'sign_in_risk', p_id::text, v_caller, r.id,
    jsonb_build_object('risk', v_row.risk, 'alarmed', v_row.alarmed, 'model_version', v_row.model_version),
    jsonb_build_object('was_me', p_was_me)
  from (select) as one
  left join lateral (
    select p.id from public.predictions as p
    where p.prediction = 'sign_in_risk' and p.row_key = p_id::text and p.status = 'done'
    order by p.created_at desc
    limit 1
  ) as r on true
  on conflict (prediction, row_key) do update set
    truth = excluded.truth, predicted = excluded.predicted, prediction_id = excluded.prediction_id, observed_at = now();
  return v_row;
end
$$;

comment on function private.report_sign_in(bigint, boolean) is 'Takes the owner''s word on a sign-in of theirs, and keeps it as the truth.';
grant execute on function private.report_sign_in(bigint, boolean) to authenticated;
