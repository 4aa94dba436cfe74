-- Punctuality of each airline on each day. The columns are those of the output port's contract: fct_carrier_days.yml.
--
-- With the variable `since` only the days from that one on are computed, and older ones stay as they are in the table.
-- The result equals the whole computation as long as no input from before that day has changed.

{%- set since = var('since', none) %}
{%- set first_day = "cast('" ~ since ~ "' as date)" %}

{#- Seven calendar days, not seven rows: carriers skip days. In full at each use, as not every engine names windows. #}
{%- set last_7_days -%}
    partition by carrier order by flight_date range between {{ days(6) }} preceding and current row
{%- endset %}

{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        full_refresh=since is none,
        pre_hook="{% if is_incremental() %}
            delete from {{ this }} where flight_date >= cast('{{ var('since') }}' as date)
        {% endif %}"
    )
}}

with counted as (

    select * from {{ ref('int_carrier_days_counted') }}
    {%- if is_incremental() %}
    where flight_date >= {{ dbt.dateadd('day', -6, first_day) }}
    {%- endif %}

),

airlines as (

    select * from {{ ref('stg_nyc_flights__airlines') }}

),

moving as (

    select
        counted.*,
        sum(on_time) over ({{ last_7_days }}) as on_time_7d,
        sum(flights) over ({{ last_7_days }}) as flights_7d

    from counted

)

select
    moving.flight_date,
    moving.carrier,
    -- A carrier that nobody named keeps its code, and no row is lost.
    coalesce(airlines.airline, moving.carrier) as airline,
    moving.flights,
    moving.cancelled,
    {{ ratio('moving.dep_delay_min', 'moving.departed') }} as mean_dep_delay_min,
    {{ ratio('moving.arr_delay_min', 'moving.arrived') }} as mean_arr_delay_min,
    {{ ratio('moving.on_time', 'moving.flights') }} as on_time_share,
    {{ ratio('moving.on_time_7d', 'moving.flights_7d') }} as on_time_share_7d

from moving

left join airlines
    on airlines.carrier = moving.carrier
{%- if is_incremental() %}

where moving.flight_date >= {{ first_day }}
{%- endif %}
