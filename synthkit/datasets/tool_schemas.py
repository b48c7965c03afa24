"""Tools as BFCL and ToolAlpaca write them, in one shape: name, description, JSON Schema."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

# BFCL writes the type names of three programming languages; JSON Schema knows these.
TYPES = {
    **dict.fromkeys(("dict", "hashmap", "map", "object"), "object"),
    **dict.fromkeys(("float", "double", "number"), "number"),
    **dict.fromkeys(("tuple", "list", "array", "arraylist", "set", "queue", "stack"), "array"),
    **dict.fromkeys(("int", "integer", "long", "short", "byte", "bigint"), "integer"),
    **dict.fromkeys(("str", "string", "char"), "string"),
    **dict.fromkeys(("bool", "boolean"), "boolean"),
    **dict.fromkeys(("null", "none"), "null"),
}


def tools_in(record: Mapping[str, Any]) -> Iterable[tuple[dict[str, Any], str]]:
    """The tools of one record, each with its category."""
    if "Documentation" in record:
        yield from _openapi(record)
    elif "API" in record:
        about = {"name": record["API"], "description": record.get("Description") or ""}
        yield about, record.get("Category") or ""
    else:
        functions = record.get("function", record)
        for tool in functions if isinstance(functions, list) else [functions]:
            if isinstance(tool, dict) and {"name", "parameters"} <= set(tool):
                about = {"name": tool["name"], "description": tool.get("description") or ""}
                yield {**about, "parameters": _schema(tool["parameters"])}, ""


def holds_tools(record: Mapping[str, Any]) -> bool:
    """True if a record is one of BFCL or ToolAlpaca, and not only has a key of the same name."""
    if "API" in record:
        return isinstance(record["API"], str) and isinstance(record.get("Description"), str)
    if not {"Documentation", "function"} & set(record):
        return False
    try:
        return any(tools_in(record))
    except (ValueError, TypeError, KeyError, AttributeError):  # something else of that name
        return False


def _schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema with the type names of JSON Schema; what has no counterpart (any) is left open."""
    own = ("type", "optional", "required", "properties", "items")
    kept = {key: value for key, value in schema.items() if key not in own}
    kind = TYPES.get(str(schema.get("type", "")).lower())
    result = {"type": kind, **kept} if kind else kept
    if isinstance(schema.get("properties"), dict):
        inner = {k: _schema(v) for k, v in schema["properties"].items() if isinstance(v, dict)}
        result["properties"] = inner
    if isinstance(schema.get("items"), dict):
        result["items"] = _schema(schema["items"])
    if isinstance(schema.get("required"), list):
        result["required"] = list(dict.fromkeys(schema["required"]))
    return result


def _openapi(record: Mapping[str, Any]) -> Iterable[tuple[dict[str, Any], str]]:
    """The operations of a ToolAlpaca record, from its OpenAPI document."""
    document = record["Documentation"]
    try:
        document = json.loads(document) if isinstance(document, str) else document
    except ValueError as error:
        raise ValueError(
            f"the Documentation of {record.get('Name')!r} is not an OpenAPI document in JSON"
        ) from error
    for where, methods in document.get("paths", {}).items():
        for method, operation in methods.items():
            if not isinstance(operation, dict) or method == "parameters":
                continue
            about = operation.get("description") or operation.get("summary") or ""
            name = operation.get("operationId") or f"{method}_{where.strip('/').replace('/', '_')}"
            tool = {"name": name, "description": about, "parameters": _inputs(operation, document)}
            yield tool, record.get("Category") or ""


def _inputs(operation: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
    """An operation's parameters and the fields of its body as one object schema."""
    properties, required = {}, []
    for each in _resolved(operation.get("parameters", []), document):
        about = {"description": each["description"]} if each.get("description") else {}
        properties[each["name"]] = {**_schema(each.get("schema", {})), **about}
        required += [each["name"]] * bool(each.get("required"))
    body = _resolved(operation.get("requestBody", {}), document)
    for content in body.get("content", {}).values():
        inner = _schema(content.get("schema", {}))
        properties |= inner.get("properties", {})
        required += inner.get("required", [])
    names = list(dict.fromkeys(name for name in required if name in properties))
    return {"type": "object", "properties": properties, "required": names}


def _resolved(node: Any, document: Mapping[str, Any], depth: int = 3) -> Any:
    """`node` with the references into its document written out; too deep a nest is left open."""
    if isinstance(node, list):
        return [_resolved(item, document, depth) for item in node]
    if not isinstance(node, dict):
        return node
    if isinstance(node.get("$ref"), str):
        target: Any = document if depth else {}
        for key in node["$ref"].removeprefix("#/").split("/"):
            target = target.get(key, {}) if isinstance(target, dict) else {}
        return _resolved(target, document, depth - 1) if depth else {}
    return {key: _resolved(value, document, depth) for key, value in node.items()}
