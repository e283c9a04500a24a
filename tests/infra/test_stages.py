"""From the PSPs' topic to the dispatcher: no message is lost on the way in."""

import json

import pytest

from infra.environments import ENVIRONMENTS
from lambdas.dispatcher.handler import return_delay_s
from tests.infra.assembly import as_list

STAGES = ["confirmed", "reconciled", "payout", "adjustment"]


def topic_of(env, stage):
    return {
        "payout": f"falcon-core-{env}-create-payout-request-<Region>",
        "adjustment": "adjustment-<Region>",
    }.get(stage, f"falcon-core-{env}-{stage}-operation-<Region>")


SECOND_CHANCES = 6


def subscriptions(assembly):
    return {
        assembly.text(subscription["Endpoint"]): subscription
        for subscription in assembly.properties("AWS::SNS::Subscription").values()
    }


def mapping_of(assembly, source):
    return next(
        mapping
        for mapping in assembly.properties("AWS::Lambda::EventSourceMapping").values()
        if assembly.text(mapping["EventSourceArn"]) == source
    )


def test_each_topic_comes_with_its_queue_and_no_other_topic_exists(assembly):
    env = assembly.settings.name
    topics = {topic_of(env, stage) for stage in STAGES}
    ours = {"adjustment-<Region>", "payout-outcome-<Region>"}
    core = {topic for topic in topics if topic.startswith("falcon-core-")}
    others = core if env == "local" else {"tampering-<Region>"}
    assert set(assembly.all("AWS::SNS::Topic")) == ours | others
    subscribed = {
        assembly.text(s["TopicArn"]).rsplit(":", 1)[-1] for s in subscriptions(assembly).values()
    }
    assert subscribed == topics
    assert set(assembly.all("AWS::SQS::Queue")) == {
        f"{stage}{kind}" for stage in STAGES for kind in ("", "-dlq", "-undelivered")
    }


def test_only_operators_may_publish_adjustments(assembly):
    (deny,) = [
        statement
        for policy in assembly.properties("AWS::SNS::TopicPolicy").values()
        for statement in policy["PolicyDocument"]["Statement"]
        if statement.get("Sid") == "OperatorsOnly"
    ]
    assert deny["Effect"] == "Deny"
    assert deny["Principal"] in ("*", {"AWS": "*"})
    assert deny["Action"] == "sns:Publish"
    named = deny["Condition"]["ArnNotLike"]["aws:PrincipalArn"]
    allowed = [assembly.text(arn).rsplit(":", 1)[-1] for arn in as_list(named)]
    assert allowed == list(assembly.settings.operators)


@pytest.mark.parametrize("stage", STAGES)
def test_what_sns_cannot_deliver_is_kept(assembly, stage):
    subscription = subscriptions(assembly)[f"{stage}.Arn"]
    assert subscription["Protocol"] == "sqs"
    assert subscription["RawMessageDelivery"] is True
    target = subscription["RedrivePolicy"]["deadLetterTargetArn"]
    assert assembly.text(target) == f"{stage}-undelivered.Arn"


@pytest.mark.parametrize("stage", STAGES)
def test_a_message_is_tried_for_a_day_then_kept_aside(assembly, stage):
    redrive = assembly.properties("AWS::SQS::Queue")[stage]["RedrivePolicy"]
    assert assembly.text(redrive["deadLetterTargetArn"]) == f"{stage}-dlq.Arn"
    delays = [return_delay_s(receives) for receives in range(1, redrive["maxReceiveCount"])]
    assert 24 * 3600 <= sum(delays) < 25 * 3600


def test_queues_keep_messages_as_long_as_sqs_can_and_encrypt_them(assembly):
    for queue in assembly.properties("AWS::SQS::Queue").values():
        assert queue["MessageRetentionPeriod"] == 14 * 24 * 3600
        assert queue["SqsManagedSseEnabled"] is True


@pytest.mark.parametrize("stage", STAGES)
def test_a_message_stays_hidden_while_its_dispatcher_may_still_work_on_it(assembly, stage):
    queue = assembly.properties("AWS::SQS::Queue")[stage]
    dispatcher = assembly.properties("AWS::Lambda::Function")[f"{stage}-dispatcher"]
    window_s = mapping_of(assembly, f"{stage}.Arn")["MaximumBatchingWindowInSeconds"]
    assert queue["VisibilityTimeout"] >= SECOND_CHANCES * dispatcher["Timeout"] + window_s


@pytest.mark.parametrize("stage", STAGES)
def test_the_dispatcher_names_the_messages_that_failed(assembly, stage):
    mapping = mapping_of(assembly, f"{stage}.Arn")
    assert assembly.text(mapping["FunctionName"]) == f"{stage}-dispatcher"
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    reading = assembly.settings.queue
    assert mapping["BatchSize"] == reading.batch_size
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": reading.max_concurrency}


@pytest.mark.parametrize("stage", STAGES)
def test_only_its_topic_may_send_to_a_queue(assembly, stage):
    for queue in (stage, f"{stage}-undelivered"):
        (allow,) = [s for s in queue_statements(assembly, queue) if s["Effect"] == "Allow"]
        assert allow["Principal"] == {"Service": "sns.amazonaws.com"}
        assert allow["Action"] == "sqs:SendMessage"
        source = assembly.text(allow["Condition"]["ArnEquals"]["aws:SourceArn"])
        assert source.endswith(topic_of(assembly.settings.name, stage))


def test_queues_refuse_plain_http_on_real_aws_and_only_there(assembly):
    for queue in assembly.all("AWS::SQS::Queue"):
        denies = [s for s in queue_statements(assembly, queue) if s["Effect"] == "Deny"]
        conditions = [deny["Condition"] for deny in denies]
        expected = [{"Bool": {"aws:SecureTransport": "false"}}]
        assert conditions == ([] if assembly.settings.emulated else expected)


def queue_statements(assembly, queue):
    return [
        statement
        for policy in assembly.properties("AWS::SQS::QueuePolicy").values()
        if [assembly.text(q) for q in policy["Queues"]] == [queue]
        for statement in policy["PolicyDocument"]["Statement"]
    ]


def test_batches_over_ten_have_the_window_that_aws_asks_for():
    for settings in ENVIRONMENTS.values():
        assert settings.queue.batch_size <= 10 or settings.queue.window_s >= 1


@pytest.mark.parametrize("stage", STAGES)
def test_a_stages_machine_is_express_and_logs_no_data(assembly, stage):
    machine = assembly.properties("AWS::StepFunctions::StateMachine")[stage]
    assert machine["StateMachineType"] == "EXPRESS"
    assert machine["LoggingConfiguration"]["IncludeExecutionData"] is False
    assert machine["LoggingConfiguration"]["Level"] == "ERROR"
    assert (
        assembly.text(
            machine["LoggingConfiguration"]["Destinations"][0]["CloudWatchLogsLogGroup"][
                "LogGroupArn"
            ]
        )
        == f"/aws/vendedlogs/states/{stage}.Arn"
    )


def test_all_stages_but_payouts_run_the_same_definition(assembly):
    machines = assembly.properties("AWS::StepFunctions::StateMachine")
    defined = {stage: json.dumps(machines[stage]["DefinitionS3Location"]) for stage in STAGES}
    payouts = defined.pop("payout")
    assert len(set(defined.values())) == 1
    assert payouts not in defined.values()
