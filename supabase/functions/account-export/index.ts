// POST /functions/v1/account-export: everything held about the caller, as a ZIP: manifest.json, data/<table>.json, the files
// they own, and a README. It is written while it is read, so neither rows nor files are ever held in memory all at once.

import type { SupabaseClient } from "npm:@supabase/supabase-js@2";
import { Zip, ZipDeflate, ZipPassThrough } from "npm:fflate@0.8.3";
import { asCaller, bearer, required, rpc, secretKey, verifyUser } from "../_shared/auth.ts";
import { download, post } from "../_shared/http.ts";

type Row = Record<string, unknown>;
type Table = { table: string; rows: number; complete: boolean };
type File = { bucket: string; name: string };
type Export = { export_id: string; exported_at: string; tables: Table[]; data: Record<string, Row[]>; files: File[] };

const README = `This archive holds what is kept about you.

manifest.json    when it was made, the tables with the number of their rows, your files, and what was left out and why
data/            one JSON list for each table
files/           the files you uploaded, by bucket

Times are UTC. An operator can restore the account from it: the manifest with the lists under "data" is the document that
import_account takes.
`;

const text = new TextEncoder();

/** A table's rows, page by page. */
async function* pages(caller: SupabaseClient, document: Export, { table, rows }: Table): AsyncGenerator<Row[]> {
  let page = document.data[table];
  let given = 0;
  while (page.length > 0) {
    yield page;
    given += page.length;
    if (given >= rows) return;
    const p_after = page[page.length - 1];
    page = await rpc(caller, "export_page", { p_export_id: document.export_id, p_table: table, p_after }) as Row[];
  }
}

async function* tableAsJson(caller: SupabaseClient, document: Export, table: Table): AsyncGenerator<Uint8Array> {
  let before = "[\n";
  for await (const page of pages(caller, document, table)) {
    yield text.encode(before + page.map((row) => JSON.stringify(row)).join(",\n"));
    before = ",\n";
  }
  yield text.encode(before === ",\n" ? "\n]\n" : "[]\n");
}

/**
 * A file's bytes; the database said whose it is, so it is fetched with the secret key. NULL when Storage has it no more, or
 * when its name, which its owner chose, would make another address of this: a URL takes the segment before `..` away.
 */
async function openFile({ bucket, name }: File): Promise<ReadableStream<Uint8Array> | null> {
  const segments = [bucket, ...name.split("/")];
  if (segments.some((s) => s === "." || s === "..")) return null;
  const path = segments.map(encodeURIComponent).join("/");
  const key = secretKey();
  const answer = await fetch(`${required("SUPABASE_URL")}/storage/v1/object/${path}`, {
    headers: { apikey: key, authorization: `Bearer ${key}` },
  });
  if (answer.ok) return answer.body;
  await answer.body?.cancel();
  return null;
}

/** A name that unpacks inside the folder it stands in. */
const inside = (name: string) => name.split("/").map((s) => (s === "" || s === "." || s === ".." ? "_" : s)).join("/");

/** The entries of the archive in order; the manifest is last, since only then it is known which files there were. */
async function* entries(caller: SupabaseClient, document: Export): AsyncGenerator<[string, AsyncIterable<Uint8Array>]> {
  yield ["README.txt", once(README)];
  for (const table of document.tables) yield [`data/${table.table}.json`, tableAsJson(caller, document, table)];
  const missing: File[] = [];
  for (const file of document.files) {
    const body = await openFile(file);
    if (body === null) missing.push(file);
    else yield [`files/${inside(`${file.bucket}/${file.name}`)}`, body];
  }
  const tables = document.tables.map((table) => ({ ...table, complete: true }));
  const { data: _, ...manifest } = { ...document, complete: true, tables, missing_files: missing };
  yield ["manifest.json", once(JSON.stringify(manifest, null, 2))];
}

async function* once(content: string): AsyncGenerator<Uint8Array> {
  yield text.encode(content);
}

/** The archive's bytes, as far as they are ready. */
async function* zipped(all: AsyncIterable<[string, AsyncIterable<Uint8Array>]>): AsyncGenerator<Uint8Array> {
  let ready: Uint8Array[] = [];
  const zip = new Zip((error, chunk) => {
    if (error) throw error;
    ready.push(chunk);
  });
  for await (const [name, content] of all) {
    // What people upload is compressed already, for the most part.
    const entry = name.startsWith("files/") ? new ZipPassThrough(name) : new ZipDeflate(name, { level: 6 });
    zip.add(entry);
    for await (const chunk of content) {
      entry.push(chunk);
      yield* ready;
      ready = [];
    }
    entry.push(new Uint8Array(), true);
    yield* ready;
    ready = [];
  }
  zip.end();
  yield* ready;
}

Deno.serve(post(async (request, requestId) => {
  const token = bearer(request);
  await verifyUser(token);
  const caller = asCaller(token);
  const document = await rpc(caller, "request_export", {}) as Export;
  const name = `export-${document.exported_at.slice(0, 10)}.zip`;
  // Not application/zip: supabase-js reads types that it does not know as text, which destroys the archive.
  const type = "application/octet-stream";
  return download(ReadableStream.from(zipped(entries(caller, document))), type, name, requestId);
}));
