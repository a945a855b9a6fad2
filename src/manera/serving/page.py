"""``/docs``: the schema as one page, made here: no script, nothing from another server."""

import base64
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from jinja2 import Environment

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
code { font: 0.9em ui-monospace, monospace; }
h2 { margin-top: 2.5rem; border-top: 1px solid #8886; padding-top: 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: 0.2rem 1rem 0.2rem 0; border-bottom: 1px solid #8883; }
td + td { overflow-wrap: anywhere; }
:root { color-scheme: light dark; }
"""
PAGE_POLICY = (
    f"default-src 'none'; style-src 'sha256-{base64.b64encode(sha256(_STYLE.encode()).digest()).decode()}'; "
    "frame-ancestors 'none'"
)

_PAGE = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string("""\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{{ schema.info.title }} {{ schema.info.version }}</title>
<style>{{ style }}</style>
<h1>{{ schema.info.title }} {{ schema.info.version }}</h1>
<p>{{ schema.info.summary }}. The same for programs: <a href="openapi.json">openapi.json</a>.</p>
{% for path, operations in schema.paths.items() %}
{% for method, operation in operations.items() %}
<h2><code>{{ method.upper() }} {{ path }}</code></h2>
<p>{{ operation.description or operation.summary }}</p>
{% if fields(operation) %}
<table>
<tr><th>field<th>is
{% for name, field in fields(operation).items() %}
<tr><td><code>{{ name }}</code><td>{{ kind(field) }}{% if field.description %}<br>{{ field.description }}{% endif %}

{% endfor %}
</table>
{% endif %}
{% endfor %}
{% endfor %}
</html>
""")

MACHINES = 2**31 - 1
"""Bounds from here on are the machine's, and tell people nothing."""

_BOUNDS = {
    "minimum": "≥ {}", "exclusiveMinimum": "> {}", "maximum": "≤ {}", "exclusiveMaximum": "< {}",
    "maxLength": "up to {} characters", "maxItems": "up to {}", "maxProperties": "up to {}",
}  # fmt: skip


def page(schema: Mapping[str, Any]) -> str:
    """Write an OpenAPI document for people."""
    definitions = schema["components"]["schemas"]

    def resolved(part: Mapping[str, Any]) -> Mapping[str, Any]:
        reference = part.get("$ref")
        found: Mapping[str, Any] = definitions[reference.rpartition("/")[2]] if reference else part
        return found

    def fields(operation: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what goes into the query, then the fields of the body; of each those first that must be given."""
        asked = sorted(operation.get("parameters", ()), key=lambda one: not one["required"])
        query = {one["name"]: one["schema"] for one in asked if one["in"] == "query"}
        content = operation.get("requestBody", {}).get("content", {})
        if "application/json" not in content:
            return query
        body = resolved(content["application/json"]["schema"])
        needed = body.get("required", ())
        return query | dict(sorted(body["properties"].items(), key=lambda field: field[0] not in needed))

    def kind(part: Mapping[str, Any]) -> str:
        part = resolved(part)
        if "anyOf" in part:
            return " or ".join(kind(one) for one in part["anyOf"] if one.get("type") != "null")
        if "const" in part or "enum" in part:
            return ", ".join(f"“{one}”" for one in part.get("enum", [part.get("const")]))
        if part.get("type") == "array":
            return _bounded(f"list of {kind(part['items'])}", part)
        if "properties" in part:
            return "{" + ", ".join(f"{name}: {kind(one)}" for name, one in part["properties"].items()) + "}"
        if isinstance(part.get("additionalProperties"), Mapping):
            return _bounded(f"object of {kind(part['additionalProperties'])}", part)
        return _bounded(part.get("type", "anything"), part)

    return _PAGE.render(schema=schema, style=_STYLE, fields=fields, kind=kind)


def _bounded(kind: str, part: Mapping[str, Any]) -> str:
    told = {name: part[name] for name in _BOUNDS if abs(part.get(name, MACHINES)) < MACHINES}
    bounds = [_BOUNDS[name].format(f"{bound:.10g}") for name, bound in told.items()]
    return f"{kind} ({', '.join(bounds)})" if bounds else kind
