// pg-boss with batches, several fetch loops, and NOTIFY. Why this is its best: the handler gets the whole batch,
// so the scores are one statement; `burstWhenBatchFull` fetches again at once while there is more; a partition
// of its own keeps the queue's indexes small. Supervision is off, as it may be where another instance does it.
import pg from "pg";
import { PgBoss } from "pg-boss";

const connectionString = process.env.DATABASE_URL;
const boss = new PgBoss({
  connectionString,
  max: 12,
  supervise: process.argv[2] === "install",
  schedule: false,
  useListenNotify: true,
});
boss.on("error", (error) => console.error(error.message));
await boss.start();

if (process.argv[2] === "install") {
  await boss.createQueue("scores", { partition: true, notify: true });
  await boss.stop({ graceful: false });
} else {
  const pool = new pg.Pool({ connectionString, max: 4 });
  const options = {
    batchSize: Number(process.env.BENCH_BATCH),
    localConcurrency: 4,
    burstWhenBatchFull: true,
    pollingIntervalSeconds: 0.5,
  };
  await boss.work("scores", options, async (jobs) => {
    await pool.query({
      name: "score",
      text: `update public.items as i set score = s.score
        from unnest($1::bigint[], $2::float8[]) as s (id, score) where i.id = s.id`,
      values: [jobs.map((job) => job.data.id), jobs.map((job) => job.data.x)],
    });
  });
}
