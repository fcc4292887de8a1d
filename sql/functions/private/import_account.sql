-- Definer: it writes tables that nobody may. For back ends with the secret key only, since a document may claim anything: so
-- each row must be the person's own by its declared column, and what gives rights or records is not restored at all.
create or replace function private.import_account(p_document jsonb)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_user uuid;
  v_declared private.personal_data;
  v_row jsonb;
  v_count bigint;
  v_counts jsonb := '{}';
begin
  if (p_document ->> 'format' = 'rowcast.personal-data' and p_document ->> 'version' = '1'
    and jsonb_typeof(p_document -> 'data') = 'object' and p_document -> 'complete' = 'true') is not true
    or not pg_input_is_valid(p_document ->> 'user_id', 'uuid')
    or p_document #>> '{data,auth.users,0,id}' is distinct from p_document ->> 'user_id'
  then
    raise sqlstate 'PT422' using
      message = 'This is no complete export.', detail = 'IMPORT_REFUSED', hint = 'Send the document of request_export() with all its pages.';
  end if;
  v_user := (p_document ->> 'user_id')::uuid;
  perform private.make_account(p_document #> '{data,auth.users,0}', null);

  for v_declared in
    select d.* from private.personal_data as d
    where d.is_restored and d.table_name <> 'auth.users'
    order by d.erase_order desc, d.table_name
  loop
    v_count := 0;
    for v_row in
      select r.value
      from jsonb_array_elements(
        case when jsonb_typeof(p_document -> 'data' -> v_declared.table_name) = 'array'
          then p_document -> 'data' -> v_declared.table_name else '[]' end
      ) as r
    loop
      if v_row ->> v_declared.column_name is distinct from v_user::text then
        raise sqlstate 'PT422' using
          message = format('A row of %s is somebody else''s.', v_declared.table_name), detail = 'IMPORT_REFUSED',
          hint = 'Every row carries the id of the account.';
      end if;
      -- The sign-up trigger has made a profile already, and the username may be another's by now.
      if v_declared.table_name = 'public.profiles' then
        delete from public.profiles as p where p.id = v_user;
        if exists (select from public.profiles as p where p.username = v_row ->> 'username') then
          v_row := v_row - 'username';
        end if;
      end if;
      v_count := v_count + private.insert_row(v_declared.table_name::regclass, v_row);
    end loop;
    v_counts := v_counts || jsonb_build_object(v_declared.table_name, v_count);
  end loop;
  return jsonb_build_object('user_id', v_user, 'rows', v_counts);
end
$$;

comment on function private.import_account(jsonb) is 'Restores an account from its export: the account without a password, and the rows of the tables that are declared as restored.';
grant execute on function private.import_account(jsonb) to service_role;
