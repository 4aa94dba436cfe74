-- The deliveries of flights, one to one, in the words of this project.

with source as (

    select * from {{ source('nyc_flights', 'flights') }}

)

select
    -- Local, as the columns are. The day of time_hour is another one: in UTC, an evening flight leaves tomorrow.
    {{ day_of('year', 'month', 'day') }} as flight_date,
    time_hour as scheduled_hour,
    carrier,
    flight as flight_number,
    origin as origin_airport,
    dep_time as departed_at,
    dep_delay as dep_delay_min,
    arr_delay as arr_delay_min

from source
