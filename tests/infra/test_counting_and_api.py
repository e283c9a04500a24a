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
        "MaximumBatchingWindowInSeconds": 1,
        "ParallelizationFactor": 1,
        "MaximumRetryAttempts": -1,
        "MaximumRecordAgeInSeconds": -1,
        "BisectBatchOnFunctionError": False,
    }


def test_the_cutter_is_called_every_minute_and_a_late_cut_is_not_made_up_for(assembly):
    (schedule,) = assembly.properties("AWS::Scheduler::Schedule").values()
    assert schedule["ScheduleExpression"] == "rate(1 minute)"
    assert schedule["FlexibleTimeWindow"] == {"Mode": "OFF"}
    assert schedule.get("State", "ENABLED") == "ENABLED"
    assert assembly.text(schedule["Target"]["Arn"]) == "cutter.Arn"
    assert schedule["Target"]["RetryPolicy"]["MaximumRetryAttempts"] == 0
    (invocation,) = assembly.properties("AWS::Lambda::EventInvokeConfig").values()
    assert assembly.text(invocation["FunctionName"]) == "cutter"
    assert invocation["MaximumRetryAttempts"] == 0


def test_the_api_has_one_route_and_no_way_around_its_authorizer(assembly):
    (route,) = assembly.properties("AWS::ApiGatewayV2::Route").values()
    assert route["RouteKey"] == "ANY /v1/{proxy+}"
    assert route["AuthorizationType"] == "JWT"
    (authorizer,) = assembly.all("AWS::ApiGatewayV2::Authorizer")
    assert assembly.text(route["AuthorizerId"]) == authorizer
    (integration,) = assembly.properties("AWS::ApiGatewayV2::Integration").values()
    assert assembly.text(integration["IntegrationUri"]) == "balance-api.Arn"
    assert integration["PayloadFormatVersion"] == "2.0"


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


def test_no_other_website_may_call_the_api(assembly):
    (api,) = assembly.properties("AWS::ApiGatewayV2::Api").values()
    assert "CorsConfiguration" not in api
