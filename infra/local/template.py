"""Reads template.yaml: what is deployed is also what runs on one machine and what the tests look at."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Template = dict[str, Any]

FUNCTION = "AWS::Serverless::Function"


@dataclass(frozen=True, slots=True)
class ApiRoute:
    """One method on one path of the API, and the function that answers it."""

    method: str
    path: str
    function: str
    handler: str
    api_key_required: bool


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short tags, in a class of its own so that they stay unknown everywhere else."""


def _intrinsic(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    """Turn `!Sub x` into `{"Fn::Sub": x}`, the form that a short tag stands for."""
    value: Any
    if isinstance(node, yaml.MappingNode):
        value = loader.construct_mapping(node, deep=True)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = node.value
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _intrinsic)


def load_template(path: Path) -> Template:
    """Return the template with every short tag in its long form.

    Raises:
        OSError: if there is no such file.
        yaml.YAMLError: if it is not YAML.
    """
    loader = _Loader(path.read_text(encoding="utf-8"))
    template: Template = loader.get_single_data()
    return template


def resources(template: Template, kind: str) -> dict[str, dict[str, Any]]:
    """Return the properties of all resources of one type, by logical id."""
    found = template["Resources"].items()
    return {name: resource["Properties"] for name, resource in found if resource["Type"] == kind}


def api_routes(template: Template) -> list[ApiRoute]:
    """Return the API's routes in the template's order."""
    apis = resources(template, "AWS::Serverless::Api")
    return [
        _route(name, function["Handler"], event["Properties"], apis)
        for name, function in resources(template, FUNCTION).items()
        for event in function.get("Events", {}).values()
        if event["Type"] == "Api"
    ]


def compressed_from(template: Template) -> int | None:
    """Return the bytes from which on the API compresses an answer, or None if it never does."""
    [api] = resources(template, "AWS::Serverless::Api").values()
    return api.get("MinimumCompressionSize")


def _route(function: str, handler: str, event: Mapping[str, Any], apis: Mapping[str, Mapping[str, Any]]) -> ApiRoute:
    """Read one event; what it does not say about the key, its API says."""
    default = apis[event["RestApiId"]["Ref"]].get("Auth", {}).get("ApiKeyRequired", False)
    required = event.get("Auth", {}).get("ApiKeyRequired", default)
    return ApiRoute(event["Method"].upper(), event["Path"], function, handler, required)
