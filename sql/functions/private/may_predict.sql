-- Definer: reads ml.models, which no API role may. Volatile, so that it is counted as a write is, exactly: each call stands for work of
-- a model. Whether a model is there is not told of those that are not open.
create or replace function private.may_predict(p_model text)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.require_user();
  if not exists (select from ml.models as m where m.name = p_model and m.is_open) then
    raise sqlstate 'PT404' using
      message = 'There is no such model to ask.', detail = 'UNKNOWN_MODEL', hint = 'The operator says which models are open.';
  end if;
end
$$;

comment on function private.may_predict(text) is 'Refuses a caller who may not ask this model directly.';
grant execute on function private.may_predict(text) to authenticated;
