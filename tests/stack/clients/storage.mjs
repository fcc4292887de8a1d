// Storage as supabase-js uses it: upload, list, signed URL, signed upload, download, removal.
// Left out, since the embedded Storage server gets them wrong: createSignedUrls, a Blob to a signed URL, and
// the names that list() gives in a folder.
import { createClient } from "@supabase/supabase-js";

const [url, key] = process.argv.slice(2);
const supabase = createClient(url, key);

/** Gives the data of an answer, or fails with its error. */
const take = ({ data, error }) => {
  if (error) throw error;
  return data;
};

const bucket = `standin-js-${Date.now()}`;
take(await supabase.storage.createBucket(bucket));
const files = supabase.storage.from(bucket);
take(await files.upload("a/one.txt", new Blob(["one"]), { contentType: "text/plain" }));
const listed = take(await files.list("a")).length;
const signed = take(await files.createSignedUrl("a/one.txt", 60)).signedUrl;
const { token, path } = take(await files.createSignedUploadUrl("a/two.txt"));
take(await files.uploadToSignedUrl(path, token, Buffer.from("two")));
const texts = [
  await (await fetch(signed)).text(),
  await take(await files.download("a/two.txt")).text(),
];
take(await files.remove(["a/one.txt", "a/two.txt"]));
take(await supabase.storage.deleteBucket(bucket));
console.log(JSON.stringify({ listed, texts }));
