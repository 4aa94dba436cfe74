{#- The name of a model's table. A mart that fills an output port has the port's name: consumers know no other.
    `ports` goes from model to port; `python -m pipeline` passes it, by hand it is --vars '{ports: {MODEL: PORT}}'. -#}
{% macro generate_alias_name(custom_alias_name=none, node=none) -%}
    {{ return(var('ports', {}).get(node.name) or default__generate_alias_name(custom_alias_name, node)) }}
{%- endmacro %}
