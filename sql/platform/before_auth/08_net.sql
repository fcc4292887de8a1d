-- Stand-in: pg_net. Requests are queued by SQL and delivered by a task of the gateway, at most once.
-- Same signatures, defaults and table columns; both tables unlogged like the original.
-- Lacks: net.http_request() with callbacks, net.http_collect_response(), net.worker_restart(), the settings
-- pg_net.*. Narrower than the original: nothing is open to PUBLIC, only to the roles that the platform names. The
-- tables, which hold headers and so credentials, are open to `postgres` alone; so the queueing runs as its owner.
do $$
begin
  if to_regtype('net.http_method') is null then
    create domain net.http_method as text check (value ~* '^(get|post|delete)$');
  end if;
end
$$;

create unlogged table if not exists net.http_request_queue (
  id bigserial primary key,
  method net.http_method not null,
  url text not null,
  headers jsonb,
  body bytea,
  timeout_milliseconds integer not null
);
create unlogged table if not exists net._http_response (
  id bigint,
  status_code integer,
  content_type text,
  headers jsonb,
  content text,
  timed_out boolean,
  error_msg text,
  created timestamptz not null default now()
);
create index if not exists _http_response_created_idx on net._http_response (created);

create or replace function net._standin_wake() returns trigger
language plpgsql set search_path = '' as $$
begin
  notify rowcast_net;
  return null;
end
$$;
drop trigger if exists _standin_wake on net.http_request_queue;
create trigger _standin_wake after insert on net.http_request_queue
  for each statement execute function net._standin_wake();

-- Percent-encodes everything but the unreserved characters of RFC 3986, byte by byte.
create or replace function net._urlencode_string(string varchar) returns text
language sql immutable strict parallel safe set search_path = ''
begin atomic
  select coalesce(string_agg(
    case
      when b in (45, 46, 95, 126) or b between 48 and 57 or b between 65 and 90 or b between 97 and 122
        then chr(b)
      else '%' || upper(lpad(to_hex(b), 2, '0'))
    end,
    '' order by i
  ), '')
  from (
    select i, get_byte(convert_to(string, 'UTF8'), i) as b
    from generate_series(0, octet_length(convert_to(string, 'UTF8')) - 1) as i
  ) as bytes;
end;

create or replace function net._standin_enqueue(
  p_method text, p_url text, p_params jsonb, p_headers jsonb, p_body bytea, p_timeout integer
)
returns bigint
language sql volatile security definer set search_path = ''
begin atomic
  insert into net.http_request_queue (method, url, headers, body, timeout_milliseconds)
  select
    p_method,
    p_url || coalesce(
      case when position('?' in p_url) > 0 then '&' else '?' end
        || string_agg(net._urlencode_string(key) || '=' || net._urlencode_string(value), '&' order by key),
      ''
    ),
    p_headers, p_body, p_timeout
  from jsonb_each_text(coalesce(p_params, '{}'))
  returning id;
end;

create or replace function net.http_get(
  url text, params jsonb default '{}', headers jsonb default '{}', timeout_milliseconds integer default 5000
)
returns bigint
language sql volatile strict set search_path = ''
begin atomic
  select net._standin_enqueue('GET', url, params, headers, null, timeout_milliseconds);
end;

create or replace function net.http_delete(
  url text, params jsonb default '{}', headers jsonb default '{}', timeout_milliseconds integer default 5000,
  body jsonb default null
)
returns bigint
language sql volatile set search_path = ''
begin atomic
  select net._standin_enqueue(
    'DELETE', url, params, headers, convert_to(body::text, 'UTF8'), timeout_milliseconds
  );
end;

create or replace function net.http_post(
  url text, body jsonb default '{}', params jsonb default '{}',
  headers jsonb default '{"Content-Type": "application/json"}', timeout_milliseconds integer default 5000
)
returns bigint
language plpgsql volatile set search_path = '' as $$
declare
  v_content_type text := (
    select value from jsonb_each_text(coalesce(headers, '{}')) where lower(key) = 'content-type' limit 1
  );
begin
  if v_content_type is null then
    headers := coalesce(headers, '{}') || '{"Content-Type": "application/json"}';
  elsif v_content_type <> 'application/json' then
    raise exception 'Content-Type header must be "application/json"';
  end if;
  if body is null then
    raise exception 'body must not be null';
  end if;
  return net._standin_enqueue(
    'POST', url, params, headers, convert_to(body::text, 'UTF8'), timeout_milliseconds
  );
end
$$;

-- A role that a migration makes, such as the service's, gets nothing here: it could make the server call any URL.
-- net._standin_enqueue is as executable as the functions that call it: it does what they do and no more.
revoke all on schema net from public;
revoke all on all functions in schema net from public;
grant usage on schema net to supabase_functions_admin, postgres, anon, authenticated, service_role;
grant execute on function
  net.http_get(text, jsonb, jsonb, integer),
  net.http_delete(text, jsonb, jsonb, integer, jsonb),
  net.http_post(text, jsonb, jsonb, jsonb, integer),
  net._urlencode_string(varchar),
  net._standin_enqueue(text, text, jsonb, jsonb, bytea, integer)
  to supabase_functions_admin, postgres, anon, authenticated, service_role;
grant all on all tables in schema net to postgres;
grant all on all sequences in schema net to postgres;
