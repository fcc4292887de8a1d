"""`rowcast bench queue`: this pipeline beside other queues on one PostgreSQL, the same work.

A row is inserted in `items`, a trigger owes a job in the same transaction, a worker answers with
the row's `x`, and the answer is written to `score`. Every cell runs in a database of its own, and
is a figure only if every row was scored exactly right.

- `environment`: the peers' packages, pinned, in a folder of their own;
- `database`: the server, one template for each system, one clone for each cell;
- `systems`: what is installed, how it is started; the peers' workers are the files in `peers/`;
- `drain`, `latency`, `writes`: the measurements;
- `plan`: which cells there are, and running them in turn; `report` and `plot`: what is shown.
"""
