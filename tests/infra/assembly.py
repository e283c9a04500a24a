"""Reads synthesized templates as a person would: by names, with references followed."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.environments.settings import EnvironmentSettings

Resource = dict[str, Any]

NAME_PROPERTY = {
    "AWS::ApiGatewayV2::Api": "Name",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::KMS::Key": "Description",
    "AWS::Kinesis::Stream": "Name",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Lambda::LayerVersion": "LayerName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::StepFunctions::StateMachine": "StateMachineName",
}


@dataclass(frozen=True)
class Assembly:
    """One environment's two stacks."""

    settings: EnvironmentSettings
    directory: Path
    templates: dict[str, dict[str, Any]]

    @classmethod
    def read(cls, settings: EnvironmentSettings, directory: Path) -> "Assembly":
        return cls(
            settings,
            directory,
            {
                stack: json.loads((directory / f"{name}.template.json").read_text())
                for stack in ("data", "pipeline")
                if (name := f"{settings.prefix}-{stack}")
            },
        )

    def all(self, resource_type: str) -> dict[str, Resource]:
        """Every resource of a type, by its name without the environment's prefix."""
        return {
            self._name(logical_id, resource): resource
            for template in self.templates.values()
            for logical_id, resource in template["Resources"].items()
            if resource["Type"] == resource_type
        }

    def properties(self, resource_type: str) -> dict[str, dict[str, Any]]:
        return {name: resource["Properties"] for name, resource in self.all(resource_type).items()}

    def outputs(self, stack: str) -> dict[str, str]:
        """Outputs for people; CDK's own, which hold the stacks together, are left out."""
        return {
            name: self.text(output["Value"])
            for name, output in self.templates[stack]["Outputs"].items()
            if "Export" not in output
        }

    def text(self, value: Any) -> str:
        """A value with its references replaced by the names of what they refer to."""
        return self._whole(value).replace(f"{self.settings.prefix}-", "")

    def _whole(self, value: Any) -> str:
        if isinstance(value, str):
            return value
        (function, argument) = next(iter(value.items()))
        return self._functions()[function](argument)

    def _functions(self) -> dict[str, Callable[[Any], str]]:
        return {
            "Ref": self._referred,
            "Fn::GetAtt": lambda argument: f"{self._named(argument[0])}.{argument[1]}",
            "Fn::Join": lambda argument: str(argument[0]).join(map(self._whole, argument[1])),
            "Fn::Select": lambda argument: f"{argument[0]} of {self._whole(argument[1])}",
            "Fn::Split": lambda argument: f"{self._whole(argument[1])} by {argument[0]}",
            "Fn::ImportValue": lambda argument: self._whole(self._exported(argument)),
        }

    def _referred(self, target: str) -> str:
        pseudo = target.removeprefix("AWS::")
        return self._named(target) if pseudo == target else f"<{pseudo}>"

    def _exported(self, name: str) -> Any:
        return next(
            output["Value"]
            for output in self.templates["data"]["Outputs"].values()
            if output.get("Export", {}).get("Name") == name
        )

    def _named(self, logical_id: str) -> str:
        for template in self.templates.values():
            if logical_id in template["Resources"]:
                return self._name(logical_id, template["Resources"][logical_id])
        raise AssertionError(f"{logical_id} is nowhere")

    def _name(self, logical_id: str, resource: Resource) -> str:
        name = NAME_PROPERTY.get(resource["Type"])
        return self.text(resource["Properties"][name]) if name else logical_id


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
