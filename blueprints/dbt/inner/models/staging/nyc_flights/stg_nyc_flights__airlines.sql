-- The airlines, one to one, in the words of this project.

with source as (

    select * from {{ source('nyc_flights', 'airlines') }}

)

select
    carrier,
    name as airline

from source
