{#- Fails with each row for which a condition is false; null is no answer, and passes. -#}
{% test holds(model, condition, column_name=none) %}

select *

from {{ model }}

where not ({{ condition }})

{% endtest %}
