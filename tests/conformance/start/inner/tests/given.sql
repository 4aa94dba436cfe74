-- What the input ports hold in the tests.
COPY (
    SELECT
        2013 AS year, 6 AS month, 1 AS day, 900 AS sched_dep_time, 900 AS dep_time, 0 AS dep_delay, 0 AS arr_delay,
        'AA' AS carrier, number::INTEGER AS flight, 'N1' AS tailnum, 'JFK' AS origin, 'SFO' AS dest, 2586 AS distance,
        TIMESTAMPTZ '2013-06-01 13:00:00+00' AS time_hour
    FROM range(3) AS numbers(number)
) TO (getenv('PORT_INPUT_FLIGHTS')) (FORMAT parquet);

COPY (SELECT 'AA' AS carrier, 'American' AS name) TO (getenv('PORT_INPUT_AIRLINES')) (FORMAT parquet);
