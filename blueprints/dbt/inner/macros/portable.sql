{#- What the engines say differently. One text of SQL runs on all of them because the differences are here. -#}

{#- The day of three integers. Fails for a day that does not exist. -#}
{% macro day_of(year, month, day) %}{{ return(adapter.dispatch('day_of')(year, month, day)) }}{% endmacro %}

{% macro default__day_of(year, month, day) %}make_date({{ year }}, {{ month }}, {{ day }}){% endmacro %}

{% macro snowflake__day_of(year, month, day) -%}
    to_date({{ year }} || lpad({{ month }}, 2, '0') || lpad({{ day }}, 2, '0'), 'YYYYMMDD')
{%- endmacro %}

{% macro trino__day_of(year, month, day) -%}
    date(format('%04d-%02d-%02d', {{ year }}, {{ month }}, {{ day }}))
{%- endmacro %}

{#- A number of days, for the frame of a window. -#}
{% macro days(number) %}{{ return(adapter.dispatch('days')(number)) }}{% endmacro %}

{% macro default__days(number) %}interval '{{ number }}' day{% endmacro %}

{% macro snowflake__days(number) %}interval '{{ number }} days'{% endmacro %}

{#- A float of 64 bits; dbt.type_float() has 32 on some engines. -#}
{% macro type_double() %}{{ return(adapter.dispatch('type_double')()) }}{% endmacro %}

{% macro default__type_double() %}double precision{% endmacro %}

{% macro databricks__type_double() %}double{% endmacro %}

{#- Quotient of two integers as a float of 64 bits; null where `whole` is 0. The integers are exact, so that every
    engine gives the same bits. -#}
{% macro ratio(part, whole) -%}
    case
        when {{ whole }} <> 0
            then cast({{ part }} as {{ type_double() }}) / cast({{ whole }} as {{ type_double() }})
    end
{%- endmacro %}
