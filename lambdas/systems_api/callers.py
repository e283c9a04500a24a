"""Who asks the systems API, as the gateway proved it by IAM, and what the request's body holds."""

from base64 import b64decode

from aws_lambda_powertools.event_handler.exceptions import NotFoundError

from falcon_balances.contracts.blocks import is_id
from falcon_balances.contracts.decoding import decode_numbers
from falcon_balances.observability import logger
from lambdas.api_routes.edge import Api


def caller_of(api: Api, *ids: str) -> str:
    """The caller's ARN, which is kept with what is done. Raises NotFoundError where there is none,
    and where one of `ids`, which the path names, has no id's form: such a text never becomes a key.
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
    """Raises RejectedOperation for what is no JSON object."""
    event = api.app.current_event
    body = event.body or ""
    if event.is_base64_encoded:
        return decode_numbers(b64decode(body))
    return decode_numbers(body.encode("utf-8", "surrogatepass"))
