-- Fails with each day on which more flights were cancelled than scheduled.

select *

from {{ ref('fct_carrier_days') }}

where cancelled > flights
