-- Data that a development stack starts with. Nothing here reaches a hosted project unless `--include-seed` is given.
-- Accounts come from Auth, so there are none here: `./rowcast demo` signs up a rider of its own.
select 1;
