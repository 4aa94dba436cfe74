-- Counts and sums for each carrier and day. Integers only, so that no order of adding changes a bit.

with flights as (

    select * from {{ ref('int_flights_deduplicated') }}

)

select
    flight_date,
    carrier,
    count(*) as flights,
    count(case when departed_at is null then 1 end) as cancelled,
    count(dep_delay_min) as departed,
    cast(sum(dep_delay_min) as {{ dbt.type_bigint() }}) as dep_delay_min,
    count(arr_delay_min) as arrived,
    cast(sum(arr_delay_min) as {{ dbt.type_bigint() }}) as arr_delay_min,
    -- A flight that never arrived compares as null, which is not counted: not on time.
    count(case when arr_delay_min < 15 then 1 end) as on_time

from flights

group by flight_date, carrier
