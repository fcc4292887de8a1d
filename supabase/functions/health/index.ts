// GET /functions/v1/health, /health/db, /health/queue: for load balancers and monitors, without a key.
// 200 when the status is "ok", else 503. The database is asked at most once a second for each, however many ask here,
// and is given two seconds; what it tells everybody is told, and nothing more.

import { get, json, Problem } from "../_shared/http.ts";

const TIMEOUT_MS = 2_000;
const KEPT_MS = 1_000;

// Path → function of the Data API. The first answers as long as the database does, whatever the queue is like.
const CHECKS: Record<string, string> = { "/": "health", "/db": "health_db", "/queue": "health_queue" };

type Health = { status: string; checked_at: string; round_trip_ms: number | null };

const asked = new Map<string, { at: number; answer: Promise<Health> }>();

/** The publishable key: the platform's new form, or the name it has had so far. */
function publishableKey(): string {
  const keys = Deno.env.get("SUPABASE_PUBLISHABLE_KEYS");
  return (keys ? JSON.parse(keys).default : undefined) ?? Deno.env.get("SUPABASE_ANON_KEY") ?? "";
}

async function ask(check: string): Promise<Health> {
  const started = performance.now();
  try {
    const answer = await fetch(`${Deno.env.get("SUPABASE_URL")}/rest/v1/rpc/${check}`, {
      headers: { apikey: publishableKey() },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const { status, checked_at } = await answer.json();
    if (!answer.ok || typeof status !== "string") throw new Error(`HTTP ${answer.status}`);
    return { status, checked_at, round_trip_ms: Math.round((performance.now() - started) * 10) / 10 };
  } catch (error) {
    console.error(JSON.stringify({ event: "health check failed", check, error: String(error) }));
    return { status: "down", checked_at: new Date().toISOString(), round_trip_ms: null };
  }
}

/** The answer of the last second, or of the question that is under way. */
function recent(check: string): Promise<Health> {
  const found = asked.get(check);
  if (found && performance.now() - found.at < KEPT_MS) return found.answer;
  const answer = ask(check);
  // While it is under way it is kept, however slow it is, and for a second from when it came.
  const entry = { at: Infinity, answer };
  asked.set(check, entry);
  answer.then(() => (entry.at = performance.now()));
  return answer;
}

Deno.serve(get(async (request, requestId) => {
  const path = new URL(request.url).pathname.replace(/^(\/functions\/v1)?\/health/, "").replace(/\/+$/, "") || "/";
  if (!Object.hasOwn(CHECKS, path)) throw new Problem(404, "NOT_FOUND", "There are /health, /health/db and /health/queue.");
  const health = await recent(CHECKS[path]);
  const response = json({ service: "rowcast", ...health }, health.status === "ok" ? 200 : 503, requestId);
  response.headers.set("cache-control", "no-store");
  return response;
}));
