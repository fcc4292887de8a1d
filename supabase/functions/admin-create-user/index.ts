// POST /functions/v1/admin-create-user: a holder of users.write makes an account for somebody.
// With a password the account can be used at once; without one its owner is invited by e-mail. A role is granted as the
// caller, so by the same rules as set_role, and asked for before there is an account. Nothing is ever undone by erasing: an
// invitation may have reached an account that was there, invited and not yet confirmed.

import { asCaller, asService, bearer, rpc, verifyUser } from "../_shared/auth.ts";
import { isObject, json, post, Problem, readJson } from "../_shared/http.ts";

const MAX_BODY_BYTES = 8_192;

type Wanted = { email: string; password?: string; display_name?: string; role?: string };

function validate(body: unknown): Wanted {
  const problem = (message: string) => new Problem(422, "INVALID_PAYLOAD", message);
  if (!isObject(body)) throw problem("The body is an object.");
  const { email, password, display_name, role, ...rest } = body;
  if (Object.keys(rest).length > 0) throw problem("There are fields besides `email`, `password`, `display_name` and `role`.");
  if (typeof email !== "string" || email.length > 255 || !/^[^@\s]+@[^@\s]+\.[^@\s]+$/.test(email)) {
    throw problem("`email` is an e-mail address.");
  }
  const bytes = typeof password === "string" ? new TextEncoder().encode(password).length : 0;
  if (password !== undefined && (typeof password !== "string" || password.length < 8 || bytes > 72)) {
    throw problem("`password` takes at least 8 characters and at most 72 bytes; without it the person is invited.");
  }
  if (display_name !== undefined && (typeof display_name !== "string" || !/^.{1,80}$/su.test(display_name))) {
    throw problem("`display_name` takes 1 to 80 characters.");
  }
  if (role !== undefined && (typeof role !== "string" || !/^[a-z][a-z_]{1,30}$/.test(role))) {
    throw problem("`role` is the name of a role.");
  }
  return { email: email.toLowerCase(), password, display_name, role } as Wanted;
}

/** Makes the account where Auth has no admin API: the embedded stack, which says so. */
async function insertAccount({ email, password, display_name }: Wanted): Promise<string> {
  const account = { email, raw_user_meta_data: display_name === undefined ? {} : { display_name } };
  return await rpc(asService(), "make_account", { p_account: account, p_password: password ?? null }) as string;
}

async function createAccount(wanted: Wanted): Promise<string> {
  if (Deno.env.get("ROWCAST_AUTH_ADMIN_API") === "none") return await insertAccount(wanted);
  const { email, password, display_name } = wanted;
  const about = display_name === undefined ? {} : { display_name };
  const admin = asService().auth.admin;
  const { data, error } = password === undefined
    ? await admin.inviteUserByEmail(email, { data: about })
    : await admin.createUser({ email, password, email_confirm: true, user_metadata: about });
  if (data.user) return data.user.id;
  if (error?.code === "email_exists") throw new Problem(409, "ACCOUNT_EXISTS", "There is such an account already.");
  if (error?.status && error.status < 500 && error.status !== 401 && error.status !== 403) {
    throw new Problem(422, "ACCOUNT_REFUSED", error.message);
  }
  console.error(JSON.stringify({ event: "auth refused", status: error?.status, code: error?.code, error: error?.message }));
  throw new Problem(503, "AUTH_UNAVAILABLE", "Auth could not make the account. Try again.");
}

Deno.serve(post(async (request, requestId) => {
  const token = bearer(request);
  await verifyUser(token);
  const caller = asCaller(token);
  await rpc(caller, "may_create_user", {});
  const wanted = validate(await readJson(request, MAX_BODY_BYTES));
  if (wanted.role !== undefined) await rpc(caller, "may_create_user", { p_role: wanted.role });
  const id = await createAccount(wanted);
  const roles = wanted.role === undefined ? [] : await rpc(caller, "set_role", { p_user_id: id, p_role: wanted.role });
  return json({ id, email: wanted.email, roles, invited: wanted.password === undefined }, 201, requestId);
}));
