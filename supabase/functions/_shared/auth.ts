// Who calls, and the two ways a function speaks to the project: as the caller, who is refused what they may not, and with
// the secret key, which the caller never sees.

import { createClient, type SupabaseClient } from "npm:@supabase/supabase-js@2";
import { Problem } from "./http.ts";

const CLOCK_SKEW_SECONDS = 30;
const STATELESS = { auth: { persistSession: false, autoRefreshToken: false } };

export function required(name: string): string {
  const value = Deno.env.get(name);
  if (!value) {
    console.error(`the environment variable ${name} is not set`);
    throw new Problem(503, "NOT_CONFIGURED", "This is not configured here.");
  }
  return value;
}

/** A key in the platform's new form, or by the name it has had so far. */
function key(keys: string, legacy: string): string {
  const found = Deno.env.get(keys);
  return (found ? JSON.parse(found).default : undefined) ?? required(legacy);
}

export const publishableKey = () => key("SUPABASE_PUBLISHABLE_KEYS", "SUPABASE_ANON_KEY");
export const secretKey = () => key("SUPABASE_SECRET_KEYS", "SUPABASE_SERVICE_ROLE_KEY");

const refused = () => new Problem(401, "INVALID_TOKEN", "Send the user's access token as bearer token.");

/** The bearer token of a request. */
export function bearer(request: Request): string {
  const token = /^Bearer (\S+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
  if (!token) throw refused();
  return token;
}

/** Whether a token that Auth has verified is one of a person at this API, as the Data API asks too; Auth looks at the person alone. */
function isOurs(token: string): boolean {
  const { role, aud, iat } = JSON.parse(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
  const issued = typeof iat !== "number" || iat <= Date.now() / 1000 + CLOCK_SKEW_SECONDS;
  return role === "authenticated" && [aud ?? role].flat().includes("authenticated") && issued;
}

/** The id of the user whose token this is, as Auth says. */
export async function verifyUser(token: string): Promise<string> {
  const { data, error } = await createClient(required("SUPABASE_URL"), publishableKey(), STATELESS).auth.getUser(token);
  // Whoever sees 401 signs in again; so it is said only when Auth itself refused the token.
  if (error && (!error.status || error.status >= 500)) {
    console.error(JSON.stringify({ event: "auth unavailable", status: error.status, error: error.message }));
    throw new Problem(503, "AUTH_UNAVAILABLE", "Auth is away, so the token could not be verified. Try again.");
  }
  if (error || !data.user || !isOurs(token)) throw refused();
  return data.user.id;
}

/** The project as the owner of this token sees it. */
export function asCaller(token: string): SupabaseClient {
  return createClient(required("SUPABASE_URL"), publishableKey(), {
    ...STATELESS,
    global: { headers: { authorization: `Bearer ${token}` } },
  });
}

/** The project with all rights. Nothing a client sent decides what is done with it before the caller was asked for. */
export const asService = (): SupabaseClient => createClient(required("SUPABASE_URL"), secretKey(), STATELESS);

/** Calls a function of the Data API; its refusals are passed on as they are. */
export async function rpc(client: SupabaseClient, name: string, args: Record<string, unknown>): Promise<unknown> {
  const { data, error, status } = await client.rpc(name, args);
  if (!error) return data;
  if (status >= 400 && status < 500) {
    // A token that ended between Auth's answer and this call.
    if (status === 401 && !/^[A-Z_]+$/.test(error.details ?? "")) throw refused();
    throw new Problem(status, /^[A-Z_]+$/.test(error.details ?? "") ? error.details : error.code, error.message);
  }
  console.error(JSON.stringify({ event: "data api failed", function: name, status, code: error.code, error: error.message }));
  throw new Problem(503, "DATABASE_UNAVAILABLE", "The database could not do this now. Try again.");
}
