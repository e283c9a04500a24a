"""Behind the stream: the reducer, the cuts, the API."""


def reducers_mapping(assembly):
    (mapping,) = [
        mapping
        for mapping in assembly.properties("AWS::Lambda::EventSourceMapping").values()
        if assembly.text(mapping["FunctionName"]) == "reducer"
    ]
    return mapping


def test_the_reducer_reads_the_stream_from_its_beginning_and_never_gives_up(assembly):
    mapping = dict(reducers_mapping(assembly))
    stream = assembly.settings.stream
    assert assembly.text(mapping.pop("EventSourceArn")) == "balance-operations.Arn"
    del mapping["FunctionName"]
    assert mapping == {
        "StartingPosition": "TRIM_HORIZON",
        "BatchSize": stream.batch_size,
        "MaximumBatchingWindowInSeconds": assembly.settings.stream.window_s,
        "ParallelizationFactor": 1,
        "MaximumRetryAttempts": -1,
        "MaximumRecordAgeInSeconds": -1,
        "BisectBatchOnFunctionError": False,
    }


def test_what_is_done_at_given_times_is_done_then_and_late_ones_are_not_made_up_for(assembly):
    schedules = assembly.properties("AWS::Scheduler::Schedule").values()
    for schedule in schedules:
        assert schedule["FlexibleTimeWindow"] == {"Mode": "OFF"}
        assert schedule.get("State", "ENABLED") == "ENABLED"
        assert schedule["Target"]["RetryPolicy"]["MaximumRetryAttempts"] == 0
    called = {
        assembly.text(schedule["Target"]["Arn"]): schedule["ScheduleExpression"]
        for schedule in schedules
    }
    assert called == {
        "cutter.Arn": "rate(1 minute)",
        "expirer.Arn": "rate(1 minute)",
        "closer.Arn": "cron(0/15 * * * ? *)",
        "sealer.Arn": "cron(0/30 1-5 * * ? *)",
        "reconciler.Arn": "cron(30/15 6-9 * * ? *)",
    } | ({} if assembly.settings.emulated else {"closed-days": "cron(30 2,5 * * ? *)"})
    invocations = assembly.properties("AWS::Lambda::EventInvokeConfig").values()
    assert {assembly.text(each["FunctionName"]) for each in invocations} == {
        "cutter",
        "closer",
        "expirer",
        "sealer",
        "reconciler",
    }
    assert {each["MaximumRetryAttempts"] for each in invocations} == {0}


def alarm_of(assembly, metric):
    alarms = assembly.properties("AWS::CloudWatch::Alarm").values()
    (alarm,) = [each for each in alarms if each["MetricName"] == metric]
    assert alarm["Namespace"] == "FalconBalances"
    return alarm


def test_a_parked_record_rings_an_alarm_at_once(assembly):
    alarm = alarm_of(assembly, "RecordsParked")
    assert alarm["Dimensions"] == [{"Name": "service", "Value": "reducer"}]
    assert (alarm["Statistic"], alarm["Threshold"], alarm["Period"]) == ("Sum", 1, 60)


def test_another_closing_of_a_day_rings_an_alarm_at_once(assembly):
    alarm = alarm_of(assembly, "ClosingConflicts")
    assert alarm["Dimensions"] == [{"Name": "service", "Value": "closer"}]
    assert (alarm["Statistic"], alarm["Threshold"], alarm["Period"]) == ("Sum", 1, 60)


def test_a_day_that_is_not_closed_in_its_night_rings_an_alarm_also_if_no_run_took_place(assembly):
    alarm = alarm_of(assembly, "ClosedDayAge")
    assert alarm["Dimensions"] == [{"Name": "service", "Value": "closer"}]
    assert (alarm["Statistic"], alarm["Threshold"]) == ("Minimum", 36 * 3600)
    assert alarm["ComparisonOperator"] == "GreaterThanThreshold"
    assert (alarm["Period"], alarm["EvaluationPeriods"]) == (86_400, 1)
    assert alarm["TreatMissingData"] == "breaching"


def test_what_is_not_reconciled_or_not_looked_at_rings_an_alarm(assembly):
    alarm = alarm_of(assembly, "NotReconciled")
    assert alarm["Dimensions"] == [{"Name": "service", "Value": "reconciler"}]
    assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (
        1,
        "GreaterThanOrEqualToThreshold",
    )
    assert (alarm["Period"], alarm["EvaluationPeriods"]) == (86_400, 1)
    assert alarm["TreatMissingData"] == "breaching"


def preflights(assembly):
    """A preflight has no token, so its route has no authorizer; nothing is read for it."""
    return {"OPTIONS /v1/{proxy+}"} if assembly.settings.api.web_origin else set()


def test_the_api_has_two_routes_and_no_way_around_their_authorizers(assembly):
    routes = {
        route["RouteKey"]: route
        for route in assembly.properties("AWS::ApiGatewayV2::Route").values()
    }
    assert {key: route["AuthorizationType"] for key, route in routes.items()} == {
        "ANY /v1/{proxy+}": "JWT",
        "ANY /v1/systems/{proxy+}": "AWS_IAM",
        **dict.fromkeys(preflights(assembly), "NONE"),
    }
    (authorizer,) = assembly.all("AWS::ApiGatewayV2::Authorizer")
    assert assembly.text(routes["ANY /v1/{proxy+}"]["AuthorizerId"]) == authorizer
    integrations = assembly.properties("AWS::ApiGatewayV2::Integration").values()
    assert {assembly.text(each["IntegrationUri"]) for each in integrations} == {
        "balance-api.Arn",
        "systems-api.Arn",
    }
    assert {each["PayloadFormatVersion"] for each in integrations} == {"2.0"}


def test_tokens_come_from_our_pool_for_our_client(assembly):
    (authorizer,) = assembly.properties("AWS::ApiGatewayV2::Authorizer").values()
    jwt = authorizer["JwtConfiguration"]
    (pool,) = assembly.all("AWS::Cognito::UserPool")
    (client,) = assembly.all("AWS::Cognito::UserPoolClient")
    assert assembly.text(jwt["Issuer"]) == f"https://cognito-idp.<Region>.amazonaws.com/{pool}"
    assert [assembly.text(audience) for audience in jwt["Audience"]] == [client]


def test_requests_are_logged_without_tokens_and_limited(assembly):
    (stage,) = assembly.properties("AWS::ApiGatewayV2::Stage").values()
    assert stage["StageName"] == "$default"
    assert assembly.text(stage["AccessLogSettings"]["DestinationArn"]).startswith("/aws/vendedlogs")
    assert "authoriz" not in stage["AccessLogSettings"]["Format"].lower()
    assert stage["DefaultRouteSettings"]["ThrottlingRateLimit"] > 0


def test_each_route_has_a_limit_of_its_own_in_the_shape_that_cloudformation_takes(assembly):
    """RouteSettings is plain JSON there: nobody but the gateway reads its names, and it refuses
    limits of a route that is not there yet.
    """
    (stage,) = assembly.all("AWS::ApiGatewayV2::Stage").values()
    limits = assembly.settings.api
    expected = {
        "ANY /v1/{proxy+}": limits.merchants,
        "ANY /v1/systems/{proxy+}": limits.systems,
    }
    assert stage["Properties"]["RouteSettings"] == {
        key: {
            "ThrottlingRateLimit": limit.requests_per_second,
            "ThrottlingBurstLimit": limit.burst,
        }
        for key, limit in expected.items()
    }
    routes = assembly.all("AWS::ApiGatewayV2::Route")
    assert {route["Properties"]["RouteKey"] for route in routes.values()} == (
        set(expected) | preflights(assembly)
    )
    assert set(routes) <= set(stage["DependsOn"])
    assert stage["Properties"]["AutoDeploy"] is True
    # Whatever route comes next is limited too.
    default = stage["Properties"]["DefaultRouteSettings"]
    assert default["ThrottlingRateLimit"] == limits.merchants.requests_per_second


def test_only_the_page_that_is_configured_may_call_the_api_from_a_browser(assembly):
    (api,) = assembly.properties("AWS::ApiGatewayV2::Api").values()
    origin = assembly.settings.api.web_origin
    if origin is None:
        assert "CorsConfiguration" not in api
        return
    cors = api["CorsConfiguration"]
    assert cors["AllowOrigins"] == [origin]
    assert "*" not in origin
    assert set(cors["AllowMethods"]) == {"GET", "HEAD"}
    assert set(cors["AllowHeaders"]) == {"authorization", "if-none-match"}
    assert set(cors["ExposeHeaders"]) == {
        *("content-disposition", "etag", "link", "retry-after", "x-request-id")
    }
    # The token comes in a header, never as a cookie.
    assert "AllowCredentials" not in cors


def test_a_page_is_configured_locally_only(assemblies):
    origins = {name: each.settings.api.web_origin for name, each in assemblies.items()}
    assert origins == {"local": "http://127.0.0.1:8000", "test": None, "live": None}
