-- Stops with an error when the output port is not as it should be.
SELECT CASE WHEN count(*) <> 1 OR any_value(flights) <> 3 THEN error('expected one row with three flights') END AS verdict
FROM read_parquet(getenv('OUTPUT'));
