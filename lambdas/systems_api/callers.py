"""The caller of the systems API, verified by IAM at the gateway, and the request's body."""

from base64 import b64decode

from aws_lambda_powertools.event_handler.exceptions import NotFoundError

from falcon_balances.contracts.blocks import is_id
from falcon_balances.contracts.decoding import decode_numbers
from falcon_balances.observability import logger
from lambdas.api_routes.edge import Api


def caller_of(api: Api, *ids: str) -> str:
    """The caller's ARN, which is stored with the request's result. Raises NotFoundError without a
    caller, or if one of `ids`, the ids in the path, does not match the format of an id: it never
    becomes a key.
    """
    context = api.app.current_event.request_context
    authorizer = context.authorizer
    iam = (authorizer.raw_event.get("iam") if authorizer else None) or {}
    caller = iam.get("userArn")
    if not caller or not all(map(is_id, ids)):
        raise NotFoundError
    logger.info("asked", caller=caller, request_id=context.request_id)
    return str(caller)


def body_of(api: Api) -> dict[str, object]:
    """The JSON object in the body. Raises RejectedOperation for anything else."""
    event = api.app.current_event
    body = event.body or ""
    if event.is_base64_encoded:
        return decode_numbers(b64decode(body))
    return decode_numbers(body.encode("utf-8", "surrogatepass"))
