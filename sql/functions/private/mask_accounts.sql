-- Definer: reads auth.users, which no API role may; says of no id whether it is an account's but by masking it. Not granted.
create or replace function private.mask_accounts(p_values jsonb, p_but uuid)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_text text := p_values::text;
  v_id text;
begin
  for v_id in
    select distinct m[1]
    from regexp_matches(v_text, '([0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12})', 'g') as m
  loop
    if v_id::uuid <> p_but and exists (select from auth.users as u where u.id = v_id::uuid) then
      v_text := replace(v_text, v_id, '(an account)');
    end if;
  end loop;
  return v_text::jsonb;
end
$$;

comment on function private.mask_accounts(jsonb, uuid) is 'Values without the ids of accounts other than this one.';
