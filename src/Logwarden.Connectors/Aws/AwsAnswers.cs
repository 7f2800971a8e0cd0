using System.Globalization;
using Logwarden.Flow;

namespace Logwarden.Aws;

/// <summary>What the errors that all services of AWS share mean to the delivery loop, and what to do about them.</summary>
public static class AwsAnswers
{
    const int MessageCharsMax = 400;

    /// <summary>The answer to a call that failed.</summary>
    /// <param name="reply">A reply with an error.</param>
    /// <param name="action">What was called, as IAM policies name it, such as <c>logs:PutLogEvents</c>.</param>
    /// <param name="target">What it was called for, such as the name of a log group.</param>
    public static Answer Of(AwsReply reply, string action, string target)
    {
        var error = reply.Error ?? throw new ArgumentException("is no failure", nameof(reply));
        return error.Type switch
        {
            "ThrottlingException" or "Throttling" or "ThrottledException" or "TooManyRequestsException" or "RequestLimitExceeded" =>
                new Answer.Later(reply.RetryAfter, $"AWS slows {action} down ({error.Type}). If it goes on, ask for a higher quota."),
            "ServiceUnavailableException" or "ServiceUnavailable" or "InternalFailure" or "InternalServerError" or "RequestTimeout" or "OperationAbortedException" =>
                new Answer.Later(reply.RetryAfter, $"AWS could not do {action} just now ({error.Type})."),
            AwsJsonClient.NoCredentials => new Answer.Blocked(
                $"No AWS credentials: {Cut(error.Message)} Give the process a role, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile of the shared files."),
            "UnrecognizedClientException" or "InvalidClientTokenId" => new Answer.Blocked(
                $"AWS does not know the access key or session token ({error.Type}). Give the process a key that exists and is active, of the partition of this region."),
            "ExpiredTokenException" or "ExpiredToken" => new Answer.Blocked(
                $"The AWS session has ended and no new one was found ({error.Type}). Renew it where the process takes its credentials from."),
            "InvalidSignatureException" or "SignatureDoesNotMatch" or "RequestTimeTooSkewed" or "RequestExpired" => new Answer.Blocked(Signature(error)),
            "MissingAuthenticationTokenException" or "IncompleteSignatureException" or "MissingAuthenticationToken" => new Answer.Blocked(
                $"AWS finds no complete signature on the request ({error.Type}). Look at proxies between here and AWS: they must pass the header Authorization."),
            "AccessDeniedException" or "AccessDenied" or "UnauthorizedOperation" => new Answer.Blocked(
                $"AWS does not allow {action} on {target}. Allow it in the IAM policy of these credentials, and in those of a VPC endpoint and the organization. It said: {Cut(error.Message)}"),
            "LimitExceededException" => new Answer.Blocked($"A quota of the AWS account is used up by {action} on {target}: raise it. It said: {Cut(error.Message)}"),
            _ => ByStatus(reply, action, target),
        };
    }

    static Answer ByStatus(AwsReply reply, string action, string target)
    {
        var said = reply.Error is { Type.Length: > 0 } error ? $"{error.Type}: {Cut(error.Message)}" : string.Create(CultureInfo.InvariantCulture, $"HTTP {reply.Status}");
        return reply.Status switch
        {
            413 => new Answer.TooLarge(),
            408 or 429 or >= 500 => new Answer.Later(reply.RetryAfter, $"AWS could not do {action} just now ({said})."),
            >= 300 and < 400 => new Answer.Blocked($"Something before AWS redirects ({said}). Put the address that it leads to into the setting endpoint."),
            _ => new Answer.Blocked($"AWS refused {action} on {target} ({said}). Look whether region and endpoint are right; nothing is sent until it takes the call."),
        };
    }

    /// <summary>Never what AWS says itself: it may repeat the request's headers, and with them the session token.</summary>
    static string Signature(AwsError error) =>
        error.Type is "RequestTimeTooSkewed" or "RequestExpired"
            || error.Message.Contains("expired", StringComparison.OrdinalIgnoreCase) || error.Message.Contains("not yet current", StringComparison.OrdinalIgnoreCase)
            ? $"The clock of this machine is more than five minutes off AWS's ({error.Type}). Set it right, by NTP."
            : error.Message.Contains("scope", StringComparison.OrdinalIgnoreCase)
                ? $"AWS takes no signature for this region here ({error.Type}). Make the settings region and endpoint agree."
                : $"The secret key does not belong to the access key ({error.Type}). Give the process the right pair.";

    static string Cut(string message) => message.Length <= MessageCharsMax ? message : message[..MessageCharsMax] + "…";
}
