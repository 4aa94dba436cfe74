{#- Fails with each key that more than one row has. -#}
{% test unique_key(model, columns) %}

select
    {{ columns | join(', ') }},
    count(*) as found

from {{ model }}

group by {{ columns | join(', ') }}

having count(*) > 1

{% endtest %}
