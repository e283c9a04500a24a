"""`falcon psp`: acts as a PSP: samples, checks, sends and traces events."""

from pathlib import Path
from time import monotonic
from typing import Annotated, Any

import typer

from falcon_balances.cli import files, output
from falcon_balances.cli.errors import AwsError, InvalidInputError
from falcon_balances.cli.files import FileArgument, FileLine, WrongLine
from falcon_balances.cli.output import JsonFlag
from falcon_balances.cli.stages import StageName, parse_line
from falcon_balances.cli.target import LOCAL, EnvOption, Target, find_target

app = typer.Typer(help="Act as a PSP: sample, validate, send, trace.", no_args_is_help=True)

# A line's stage is that of the first of these fields that the line contains.
_TELLING_FIELDS = (
    (b'"adjustment_id"', StageName.ADJUSTMENT),
    (b'"payout_id"', StageName.PAYOUT),
    (b'"reconciled_date"', StageName.RECONCILED),
    (b'"bank_reference"', StageName.RECONCILED),
)

StageOption = Annotated[
    StageName, typer.Option("--stage", help="The stage whose topic receives the file.")
]


@app.command("sample")
def sample(
    stage: StageOption = StageName.CONFIRMED,
    *,
    merchants: Annotated[
        bool, typer.Option("--merchants", help="Print the merchant contexts that the samples need.")
    ] = False,
    as_json: JsonFlag = False,  # noqa: ARG001 - JSON Lines are what a sample is
) -> None:
    """Print sample events of a stage as JSON Lines, or the merchants that they need."""
    from falcon_balances.contracts import (  # noqa: PLC0415 - pydantic: not for --help
        context_samples,
        samples,
    )

    if merchants:
        output.json_lines(context_samples.CONTEXT_SAMPLES.values())
        return
    output.json_lines(
        document
        for of_stage, document in (
            *samples.EVENT_SAMPLES.values(),
            *samples.DIRECT_SAMPLES.values(),
        )
        if of_stage == stage.value
    )


@app.command("validate")
def validate(
    file: FileArgument,
    stage: Annotated[
        StageName | None,
        typer.Option(
            "--stage", help="The stage of all lines; by default, the fields of each line tell it."
        ),
    ] = None,
    *,
    env: EnvOption = LOCAL,
    as_json: JsonFlag = False,
) -> None:
    """Check a file as the dispatcher would. Exit code 1 if a line is wrong."""
    from falcon_balances.adapters.clock import utc_now  # noqa: PLC0415

    now = utc_now()
    lines = list(files.lines_of(file))
    _, wrong = files.check(
        lines, lambda raw: parse_line(raw, stage or _apparent_stage(raw), env, now)
    )
    result = {
        "lines": len(lines),
        "valid": len(lines) - len(wrong),
        "wrong": [_wrong_document(line) for line in wrong],
    }
    if as_json:
        output.document(result)
    else:
        output.pairs({"lines": len(lines), "valid": len(lines) - len(wrong)})
        if wrong:
            output.table(("line", "code", "reason"), [(w.line, w.code, w.reason) for w in wrong])
    if wrong:
        raise InvalidInputError(
            f"{output.count(len(wrong), 'line is', 'lines are')} wrong in {file}"
        )


def _apparent_stage(raw: bytes) -> StageName:
    for field, stage in _TELLING_FIELDS:
        if field in raw:
            return stage
    return StageName.CONFIRMED


def _wrong_document(wrong: WrongLine) -> dict[str, Any]:
    return {"line": wrong.line, "code": wrong.code, "reason": wrong.reason}


@app.command("send")
def send(
    file: FileArgument,
    stage: StageOption,
    *,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until every message is counted or quarantined.")
    ] = False,
    timeout_s: Annotated[
        float, typer.Option("--timeout", min=0, help="How many seconds to wait at most.")
    ] = 120,
    no_check: Annotated[
        bool, typer.Option("--no-check", help="Send every line unchecked, even wrong lines.")
    ] = False,
    env: EnvOption = LOCAL,
    as_json: JsonFlag = False,
) -> None:
    """Publish the lines of a file to a stage's topic, or nothing if a line is wrong."""
    from falcon_balances.cli import delivery  # noqa: PLC0415

    lines = list(files.lines_of(file))
    if not no_check:
        _refuse_wrong(file, lines, stage, env)
    target = find_target(env)
    texts = delivery.texts_of(lines)
    waiting = delivery.Delivery(target, stage, lines) if wait else None
    begun = monotonic()
    _publish(target, stage, texts)
    result: dict[str, Any] = {"stage": stage.value, "sent": len(texts)}
    if waiting is not None:
        result |= waiting.wait_for_all(begun + timeout_s)
    result["seconds"] = round(monotonic() - begun, 3)
    _print_result(result, as_json=as_json)
    if result.get("pending"):
        raise AwsError(
            f"still pending after {timeout_s:g} s: {output.count(result['pending'], 'message')}"
        )


def _refuse_wrong(file: Path, lines: list[FileLine], stage: StageName, env: str) -> None:
    from falcon_balances.adapters.clock import utc_now  # noqa: PLC0415

    now = utc_now()
    _, wrong = files.check(lines, lambda raw: parse_line(raw, stage, env, now))
    files.refuse(file, wrong, "nothing was sent")


def _publish(target: Target, stage: StageName, texts: list[str]) -> None:
    from falcon_balances.adapters import event_topic  # noqa: PLC0415

    with output.progress(f"publishing to {stage}", len(texts)) as advance:
        event_topic.publish(target.client("sns"), target.topic(stage.value), texts, advance)


def _print_result(result: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        output.document(result)
        return
    quarantine = result.pop("quarantine", [])
    output.pairs(result)
    if quarantine:
        rows = [(each["line"], each["code"], each["reason"]) for each in quarantine]
        output.table(("line", "code", "reason"), rows, right=("line",))


@app.command("trace")
def trace(
    operation: Annotated[
        list[str],
        typer.Argument(help="FALCON_OPERATION_ID, or PSP_ID TYPE REFERENCE [OCCURRENCE]."),
    ],
    *,
    env: EnvOption = LOCAL,
    as_json: JsonFlag = False,
) -> None:
    """Show what became of an operation: claims, log objects, time of counting."""
    from falcon_balances.cli import tracing  # noqa: PLC0415

    operation_id = tracing.operation_id_of(operation)
    story = tracing.story(find_target(env), operation_id)
    if not story["stages"]:
        raise InvalidInputError(
            f"unknown operation {operation_id}: never received, or refused (see quarantine)"
        )
    if as_json:
        output.document(story)
    else:
        tracing.show(story)
