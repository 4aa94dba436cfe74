-- One row for each flight: of several deliveries the one that tells most; the later the flight, the better.
-- The order is total over every column that is used, so which row stays never depends on chance.

with deliveries as (

    select * from {{ ref('stg_nyc_flights__flights') }}

),

ranked as (

    select
        deliveries.*,
        row_number() over (
            partition by scheduled_hour, carrier, flight_number, origin_airport
            order by
                case when arr_delay_min is null then 1 else 0 end,
                case when dep_delay_min is null then 1 else 0 end,
                arr_delay_min desc,
                dep_delay_min desc,
                case when departed_at is null then 1 else 0 end,
                flight_date desc
        ) as delivery_rank

    from deliveries

)

select
    flight_date,
    scheduled_hour,
    carrier,
    flight_number,
    origin_airport,
    departed_at,
    dep_delay_min,
    arr_delay_min

from ranked

where delivery_rank = 1
