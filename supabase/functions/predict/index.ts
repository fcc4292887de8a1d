// POST /functions/v1/predict: a signed-in user asks a model directly. Nothing is stored.
// The user's token is verified by Auth. The database is asked as the user whether this model is open to people, which also
// holds them to their session and to their rate limit. The secret key, which the user never sees, opens the service.

import { asCaller, bearer, required, rpc, verifyUser } from "../_shared/auth.ts";
import { isObject, json, post, Problem, readJson } from "../_shared/http.ts";

const MAX_BODY_BYTES = 65_536;
const MAX_INPUTS = 32;
const SERVICE_TIMEOUT_MS = 5_000;

function validate(body: unknown): { model: string; inputs: Record<string, unknown>[] } {
  const { model, inputs, ...rest } = (body ?? {}) as Record<string, unknown>;
  if (typeof model !== "string" || !/^[a-z][a-z0-9_]{0,39}$/.test(model)) {
    throw new Problem(422, "INVALID_PAYLOAD", "`model` is the name of a model.");
  }
  if (!Array.isArray(inputs) || inputs.length < 1 || inputs.length > MAX_INPUTS || !inputs.every(isObject)) {
    throw new Problem(422, "INVALID_PAYLOAD", `\`inputs\` is a list of 1 to ${MAX_INPUTS} objects.`);
  }
  if (Object.keys(rest).length > 0) throw new Problem(422, "INVALID_PAYLOAD", "There are fields besides `model` and `inputs`.");
  return { model, inputs };
}

type Answer = { status: number; body: Record<string, unknown> };

/** What the service answered; its body is an object, or it is not the service that answered. */
async function askService(model: string, inputs: unknown[], requestId: string): Promise<Answer> {
  let status: number;
  let text: string;
  try {
    const answer = await fetch(`${required("ROWCAST_SERVICE_URL")}/predict/${model}`, {
      method: "POST",
      headers: { apikey: required("ROWCAST_SECRET_KEY"), "content-type": "application/json", "x-request-id": requestId },
      body: JSON.stringify({ inputs }),
      signal: AbortSignal.timeout(SERVICE_TIMEOUT_MS),
    });
    status = answer.status;
    text = await answer.text();
  } catch (error) {
    if (error instanceof Problem) throw error;
    if (error instanceof DOMException && error.name === "TimeoutError") {
      throw new Problem(504, "SERVICE_TIMEOUT", "The prediction service did not answer in time.");
    }
    throw new Problem(503, "SERVICE_UNAVAILABLE", "The prediction service is away. Rows are predicted when it is back.");
  }
  try {
    const body = JSON.parse(text);
    if (isObject(body)) return { status, body };
  } catch {
    // Not JSON: a proxy's page, say. It is refused like JSON of another shape.
  }
  throw failed(status, "a body that is no JSON object", requestId);
}

/** What is wrong between us and the service goes to the log: it is not the user's to know. */
function failed(status: number, details: unknown, requestId: string): Problem {
  console.error(JSON.stringify({ event: "service refused", status, details, request_id: requestId }));
  return new Problem(502, "PREDICTION_FAILED", "The prediction service could not answer this.");
}

Deno.serve(post(async (request, requestId) => {
  const token = bearer(request);
  await verifyUser(token);
  const { model, inputs } = validate(await readJson(request, MAX_BODY_BYTES));
  await rpc(asCaller(token), "may_predict", { p_model: model });
  const { status, body } = await askService(model, inputs, requestId);
  if (status === 200) return json(body, 200, requestId);
  // What the user did wrong is passed on.
  const { details, message } = body;
  if ((status === 404 || status === 422) && typeof details === "string" && typeof message === "string") {
    throw new Problem(status, details, message);
  }
  throw failed(status, details, requestId);
}));
