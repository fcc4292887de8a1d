-- An input that cannot be computed stands alone; the others of its batch are none the worse.
create or replace function ml.read_inputs(
  a ml.attachments,
  m ml.models,
  p_jobs ml.owed[],
  p_request_id text,
  out row_keys text[],
  out inputs text[],
  out hashes bytea[],
  out failed text[]
)
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_read constant text := format('select r.* from ml.%I($1, false) as r', a.name || '__read');
  v_keys text[] := array(select j.row_key from unnest(p_jobs) as j);
  v_one ml.owed;
  v_row record;
begin
  begin
    execute v_read into row_keys, inputs, hashes using v_keys;
    return;
  exception when others then
    row_keys := '{}';
    inputs := '{}';
    hashes := '{}';
  end;
  foreach v_one in array p_jobs loop
    begin
      execute v_read into v_row using array[v_one.row_key];
      row_keys := row_keys || v_row.row_keys;
      inputs := inputs || v_row.inputs;
      hashes := hashes || v_row.hashes;
    exception when others then
      failed := failed || v_one.row_key;
      perform ml.give_back(a, m, array[v_one], 'input_fault', sqlerrm, true, p_request_id => p_request_id);
    end;
  end loop;
end
$$;

comment on function ml.read_inputs(ml.attachments, ml.models, ml.owed[], text) is
  'What the model would be given for each of these rows that exists. Jobs whose input raises are given back, charged; `failed` names them.';
