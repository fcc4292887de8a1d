// graphile-worker at the settings of its author's performance page: localQueue fetches (and locks) 500 jobs at
// a time, and completions are collected and sent together; with BENCH_BATCH=1 both are off, which is "plain".
// The completion delay is 0, best for latency and no worse for throughput: completions of one turn of the event
// loop share a statement. A handler is one statement on the worker's own pool, which has a connection for each
// concurrent job; 24 at a time as in the author's measurements (50 were slower on two cores).
//
// The variant "grouped" goes beyond settings: what the handlers of one turn of the event loop want to write is
// sent as one statement, and 250 run at a time so that there is something to group. It shows what an
// application can do above a library that hands out one job at a time.
import { Logger, run, runMigrations } from "graphile-worker";
import pg from "pg";

const connectionString = process.env.DATABASE_URL;
const batch = Number(process.env.BENCH_BATCH);
const grouped = process.env.BENCH_VARIANT === "grouped";
const concurrentJobs = grouped ? 250 : 24;
const batching = { localQueue: { size: batch }, completeJobBatchDelay: 0, failJobBatchDelay: 0 };
const silent = new Logger(() => () => {});

async function writeOne({ id, x }, helpers) {
  await helpers.withPgClient((client) =>
    client.query({
      name: "score",
      text: "update public.items set score = $2 where id = $1",
      values: [id, x],
    }),
  );
}

function groupedWriter() {
  const pool = new pg.Pool({ connectionString, max: 4 });
  let waiting = [];
  const flush = () => {
    const group = waiting;
    waiting = [];
    pool
      .query({
        name: "scores",
        text: `update public.items as i set score = s.score
          from unnest($1::bigint[], $2::float8[]) as s (id, score) where i.id = s.id`,
        values: [group.map((one) => one.id), group.map((one) => one.x)],
      })
      .then(
        () => group.forEach((one) => one.resolve()),
        (error) => group.forEach((one) => one.reject(error)),
      );
  };
  return ({ id, x }) =>
    new Promise((resolve, reject) => {
      if (waiting.push({ id, x, resolve, reject }) === 1) setImmediate(flush);
    });
}

if (process.argv[2] === "install") {
  await runMigrations({ connectionString, preset: { worker: { logger: silent } } });
} else {
  const worker = { connectionString, concurrentJobs, maxPoolSize: 28, logger: silent };
  const preset = { worker: batch > 1 ? { ...worker, ...batching } : worker };
  await run({ taskList: { score: grouped ? groupedWriter() : writeOne }, preset });
}
