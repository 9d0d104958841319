"""Who calls: what STS says about the credentials in force. Source: AWS STS API reference, GetCallerIdentity."""

from nitroctl.aws.calls import calling, client


def caller(region: str) -> str:
    """Return the ARN of the caller, which needs no permission to be asked. Raises AwsFailed ``aws.*``."""
    service = client("sts", region)
    with calling("sts:GetCallerIdentity", f"sts in {region}"):
        arn = service.get_caller_identity()["Arn"]
        if not isinstance(arn, str):
            raise TypeError("Arn is no text")
        return arn
