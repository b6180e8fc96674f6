"""Who may do what, read off the expanded template: every role to the letter, and the page that shows it."""

from infra.deploy.expanded import Deployment, Expansion
from infra.deploy.privileges import BEGIN, END, PAGE, listed, with_tables
from tests.template_checks import privilege_problems, privileges

BUCKET = "${Bucket.Arn}"
COUNTS = ("s3:PutObject", f"{BUCKET}/activity/dt=*")  # what an instance counted
WRITTEN_BY_RETRAIN = {"activity", "alerts", "checks", "datasets", "models", "quarantine", "receipts", "runs"}
READ_BY_RETRAIN = WRITTEN_BY_RETRAIN | {"erasures", "feedback", "samples"}
PRIVILEGES = {
    "PredictFunctionRole": {
        ("s3:GetObject", f"{BUCKET}/models/*"),
        ("s3:ListBucket", BUCKET),
        COUNTS,
        ("s3:PutObject", f"{BUCKET}/samples/*"),
    },
    "FeedbackFunctionRole": {
        ("s3:GetObject", f"{BUCKET}/feedback/*"),
        ("s3:GetObject", f"{BUCKET}/receipts/*"),
        ("s3:ListBucket", BUCKET),
        COUNTS,
        ("s3:PutObject", f"{BUCKET}/feedback/*"),
    },
    "AdminFunctionRole": {
        ("s3:GetObject", f"{BUCKET}/activity/*"),
        ("s3:GetObject", f"{BUCKET}/alerts/*"),
        ("s3:GetObject", f"{BUCKET}/checks/*"),
        ("s3:GetObject", f"{BUCKET}/models/*"),
        ("s3:GetObject", f"{BUCKET}/reviews/*"),
        ("s3:GetObject", f"{BUCKET}/runs/*"),
        ("s3:GetObject", f"{BUCKET}/samples/*"),
        ("s3:ListBucket", BUCKET),
        COUNTS,
        ("s3:PutObject", f"{BUCKET}/feedback/*"),
        ("s3:PutObject", f"{BUCKET}/models/current.json"),
        ("s3:PutObject", f"{BUCKET}/models/history/*"),
        ("s3:PutObject", f"{BUCKET}/reviews/*"),
        ("lambda:InvokeFunction", "${RetrainFunction.Arn}"),
    },
    "ConsoleFunctionRole": set(),
    "RetrainFunctionRole": {
        ("s3:ListBucket", BUCKET),
        ("sns:Publish", "${AlertTopic}"),
        ("sqs:SendMessage", "${DeadLetterQueue.Arn}"),
        *(("s3:GetObject", f"{BUCKET}/{prefix}/*") for prefix in READ_BY_RETRAIN),
        *(("s3:PutObject", f"{BUCKET}/{prefix}/*") for prefix in WRITTEN_BY_RETRAIN),
    },
    "CodeDeployServiceRole": set(),
    "ApiGatewayLogRole": set(),
}
FOR_FUNCTIONS = {"AWSLambdaBasicExecutionRole", "AWSXrayWriteOnlyAccess"}
MANAGED = {
    "PredictFunctionRole": FOR_FUNCTIONS,
    "FeedbackFunctionRole": FOR_FUNCTIONS,
    "AdminFunctionRole": FOR_FUNCTIONS,
    "ConsoleFunctionRole": FOR_FUNCTIONS,
    "RetrainFunctionRole": FOR_FUNCTIONS,
    "CodeDeployServiceRole": {"AWSCodeDeployRoleForLambda"},
    "ApiGatewayLogRole": {"AmazonAPIGatewayPushToCloudWatchLogs"},
}
TAKEN_BY = {
    "PredictFunctionRole": "lambda.amazonaws.com",
    "FeedbackFunctionRole": "lambda.amazonaws.com",
    "AdminFunctionRole": "lambda.amazonaws.com",
    "ConsoleFunctionRole": "lambda.amazonaws.com",
    "RetrainFunctionRole": "lambda.amazonaws.com",
    "CodeDeployServiceRole": "codedeploy.amazonaws.com",
    "ApiGatewayLogRole": "apigateway.amazonaws.com",
}


def test_every_role_may_do_what_the_design_says_and_no_more(deployed: Deployment) -> None:
    roles = deployed.resources("AWS::IAM::Role")
    assert {name: privileges(role) for name, role in roles.items()} == PRIVILEGES


def test_every_role_has_only_the_policies_of_aws_that_its_service_asks_for(deployed: Deployment) -> None:
    roles = deployed.resources("AWS::IAM::Role")
    assert {
        name: {arn.rpartition("/")[2] for arn in role.get("ManagedPolicyArns", [])} for name, role in roles.items()
    } == MANAGED


def test_every_role_is_taken_by_one_service_and_nobody_else(deployed: Deployment) -> None:
    for name, role in deployed.resources("AWS::IAM::Role").items():
        [trust] = role["AssumeRolePolicyDocument"]["Statement"]
        assert listed(trust["Principal"]["Service"]) == [TAKEN_BY[name]]
        assert (trust["Effect"], listed(trust["Action"])) == ("Allow", ["sts:AssumeRole"])


def test_every_statement_allows_named_actions_on_places_of_this_stack(deployed: Deployment) -> None:
    assert list(privilege_problems(deployed)) == []


def test_every_function_has_a_role_of_its_own(deployed: Deployment) -> None:
    functions = deployed.resources("AWS::Lambda::Function")
    assert {name: of["Role"] for name, of in functions.items()} == {name: f"${{{name}Role.Arn}}" for name in functions}


def test_an_http_function_lists_only_what_it_reads(deployed: Deployment) -> None:
    roles = deployed.resources("AWS::IAM::Role")
    prefixes = {
        "PredictFunctionRole": ["models/*"],
        "FeedbackFunctionRole": ["feedback/*", "receipts/*"],
        "AdminFunctionRole": ["activity/*", "alerts/*", "checks/*", "models/*", "reviews/*", "runs/*", "samples/*"],
    }
    for name, expected in prefixes.items():
        statements = [each for policy in roles[name]["Policies"] for each in policy["PolicyDocument"]["Statement"]]
        [listing] = [statement for statement in statements if statement["Action"] == "s3:ListBucket"]
        [(operator, keys)] = listing["Condition"].items()
        assert (operator, listed(keys["s3:prefix"])) == ("StringLikeIfExists", expected)


def test_the_bucket_refuses_what_is_not_encrypted_on_its_way_or_not_conditional(deployed: Deployment) -> None:
    [policy] = deployed.resources("AWS::S3::BucketPolicy").values()
    statements = {statement.pop("Sid"): statement for statement in policy["PolicyDocument"]["Statement"]}
    everybody = {"Effect": "Deny", "Principal": "*"}
    creates = {"Bool": {"s3:ObjectCreationOperation": "true"}}
    assert policy["Bucket"] == "${Bucket}"
    assert statements == {
        "TlsOnly": {
            **everybody,
            "Action": "s3:*",
            "Resource": [BUCKET, f"{BUCKET}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
        "CreateOnly": {
            **everybody,
            "Action": "s3:PutObject",
            "NotResource": f"{BUCKET}/models/current.json",
            "Condition": {"Null": {"s3:if-none-match": "true"}, **creates},
        },
        "CompareAndSwapPointer": {
            **everybody,
            "Action": "s3:PutObject",
            "Resource": f"{BUCKET}/models/current.json",
            "Condition": {"Null": {"s3:if-match": "true", "s3:if-none-match": "true"}, **creates},
        },
    }


def test_the_topic_takes_messages_of_this_stacks_alarms_and_otherwise_by_role_alone(deployed: Deployment) -> None:
    [policy] = deployed.resources("AWS::SNS::TopicPolicy").values()
    statements = {statement.pop("Sid"): statement for statement in policy["PolicyDocument"]["Statement"]}
    alarms = "arn:${AWS::Partition}:cloudwatch:${AWS::Region}:${AWS::AccountId}:alarm:${AWS::StackName}-*"
    publish = {"Action": "sns:Publish", "Resource": "${AlertTopic}"}
    assert policy["Topics"] == ["${AlertTopic}"]
    assert statements == {
        "AlarmsOfThisStack": {
            **publish,
            "Effect": "Allow",
            "Principal": {"Service": "cloudwatch.amazonaws.com"},
            "Condition": {
                "ArnLike": {"aws:SourceArn": alarms},
                "StringEquals": {"aws:SourceAccount": "${AWS::AccountId}"},
            },
        },
        "TlsOnly": {
            **publish,
            "Effect": "Deny",
            "Principal": "*",
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
    }


def test_the_page_shows_the_template_as_it_is(expansion: Expansion) -> None:
    assert expansion.template is not None
    page = PAGE.read_text(encoding="utf-8")
    assert page.count(BEGIN) == page.count(END) == 1
    assert page == with_tables(page, Deployment(expansion.template)), "`make privileges` writes it anew"
