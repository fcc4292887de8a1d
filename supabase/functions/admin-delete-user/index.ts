// POST /functions/v1/admin-delete-user: erases a person, their files first.
//   {"user_id": "…"}  a holder of users.delete erases somebody who is not above them;
//   {"due": true}     pg_cron, with the secret in x-rowcast-erasure-secret: those whose grace period is over. It names
//                     nobody, so that no id lies in a queue; whose turn it is stands in the database.
// Each step may be done again: whatever was interrupted is taken up where it stopped.

import { createHash, timingSafeEqual } from "node:crypto";
import type { SupabaseClient } from "npm:@supabase/supabase-js@2";
import { asCaller, asService, bearer, rpc, verifyUser } from "../_shared/auth.ts";
import { isObject, json, post, Problem, readJson } from "../_shared/http.ts";

const MAX_BODY_BYTES = 1_024;
const FILES_AT_ONCE = 100;
const PEOPLE_AT_ONCE = 20;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

type Owned = { bucket_id: string; name: string };

/** Removes a person's files through Storage, which deletes the bytes too; fails when a round removes none. */
async function emptyStorage(service: SupabaseClient, userId: string): Promise<number> {
  let removed = 0;
  for (;;) {
    const owned = await rpc(service, "owned_objects", { p_user_id: userId }) as Owned[];
    if (owned.length === 0) return removed;
    const { bucket_id } = owned[0];
    const names = owned.filter((o) => o.bucket_id === bucket_id).slice(0, FILES_AT_ONCE).map((o) => o.name);
    const { data, error } = await service.storage.from(bucket_id).remove(names);
    if (error || data.length === 0) {
      console.error(JSON.stringify({ event: "storage failed", error: error?.message ?? "nothing was removed" }));
      throw new Problem(502, "STORAGE_FAILED", "Not all files could be removed, so the account is still there. Try again.");
    }
    removed += data.length;
  }
}

async function erase(service: SupabaseClient, userId: string, cause: "admin" | "due") {
  await rpc(service, "check_erasable", { p_user_id: userId });
  const files = await emptyStorage(service, userId);
  const report = await rpc(service, "erase_user", { p_user_id: userId, p_cause: cause }) as Record<string, unknown> | null;
  return { files, rows: report?.counts ?? {}, is_clean: report?.is_clean ?? true };
}

async function eraseDue(): Promise<{ erased: number; failed: number }> {
  const service = asService();
  const due = await rpc(service, "due_deletions", { p_limit: PEOPLE_AT_ONCE }) as { user_id: string }[];
  let erased = 0;
  for (const { user_id } of due) {
    try {
      await erase(service, user_id, "due");
      erased += 1;
    } catch (error) {
      const said = error instanceof Problem ? `${error.token}: ${error.message}` : String(error);
      await rpc(service, "note_deletion_failure", { p_user_id: user_id, p_error: said });
    }
  }
  return { erased, failed: due.length - erased };
}

/** Compared by their hashes, so that the time it takes says nothing. */
function isSecret(given: string | null): boolean {
  const secret = Deno.env.get("ROWCAST_ERASURE_SECRET");
  const hash = (text: string) => createHash("sha256").update(text).digest();
  return Boolean(secret) && given !== null && timingSafeEqual(hash(given), hash(secret!));
}

Deno.serve(post(async (request, requestId) => {
  const secret = request.headers.get("x-rowcast-erasure-secret");
  if (secret !== null) {
    if (!isSecret(secret)) throw new Problem(401, "INVALID_SECRET", "The secret is not valid.");
    return json(await eraseDue(), 200, requestId);
  }
  const token = bearer(request);
  await verifyUser(token);
  const body = await readJson(request, MAX_BODY_BYTES);
  if (!isObject(body) || Object.keys(body).length !== 1 || typeof body.user_id !== "string" || !UUID.test(body.user_id)) {
    throw new Problem(422, "INVALID_PAYLOAD", "The body is `user_id`, the id of an account, and nothing else.");
  }
  await rpc(asCaller(token), "may_delete_user", { p_user_id: body.user_id });
  return json(await erase(asService(), body.user_id, "admin"), 200, requestId);
}));
