-- The job: reads the input ports and writes the output port. A beginning: its columns keep the contract, its numbers do not.
COPY (
    SELECT
        make_date(year, month, day) AS flight_date,
        carrier,
        carrier AS airline,
        count(*) AS flights,
        0::BIGINT AS cancelled,
        NULL::DOUBLE AS mean_dep_delay_min,
        NULL::DOUBLE AS mean_arr_delay_min,
        0::DOUBLE AS on_time_share,
        0::DOUBLE AS on_time_share_7d
    FROM read_parquet(getenv('PORT_INPUT_FLIGHTS'))
    GROUP BY ALL
    ORDER BY flight_date, carrier
) TO (getenv('OUTPUT')) (FORMAT parquet);
