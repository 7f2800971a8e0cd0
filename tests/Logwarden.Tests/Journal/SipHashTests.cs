using Logwarden.Journal;

namespace Logwarden.Tests.Journal;

public class SipHashTests
{
    static readonly byte[] Count = [.. Enumerable.Range(0, 64).Select(i => (byte)i)];

    [Theory] // vectors_sip128 of the reference implementation: key 00 01 … 0f, text 00 01 …
    [InlineData(0, "A3817F04BA25A8E66DF67214C7550293")]
    [InlineData(1, "DA87C1D86B99AF44347659119B22FC45")]
    [InlineData(2, "8177228DA4A45DC7FCA38BDEF60AFFE4")]
    [InlineData(3, "9C70B60C5267A94E5F33B6B02985ED51")]
    [InlineData(15, "5493E99933B0A8117E08EC0F97CFC3D9")]
    public void It_is_the_published_function(int length, string expected)
    {
        var hash = new SipHash(Count.AsSpan(0, 16));
        hash.Append(Count.AsSpan(0, length));
        Assert.Equal(expected, hash.Finish().ToString("X32", System.Globalization.CultureInfo.InvariantCulture), StringComparer.Ordinal);
    }

    [Fact]
    public void A_key_is_never_zero_which_means_that_there_is_none()
    {
        Assert.Equal(UInt128.One, SipHash.NonZero(UInt128.Zero));
        Assert.Equal(UInt128.MaxValue, SipHash.NonZero(UInt128.MaxValue));

        var hash = new SipHash(Count.AsSpan(0, 16));
        hash.Append("shop\0e1"u8);
        var (plain, key) = (hash, hash);
        Assert.Equal(plain.Finish(), key.FinishNonZero());
        Assert.Equal(hash.FinishNonZero(), DedupKeys.Of(Count.AsSpan(0, 16)).Of("shop"u8, "e1"u8));
    }

    [Fact]
    public void It_does_not_matter_in_which_pieces_a_text_comes()
    {
        var random = new Random(3);
        for (var length = 0; length < Count.Length; length++)
        {
            var whole = new SipHash(Count.AsSpan(0, 16));
            whole.Append(Count.AsSpan(0, length));
            var expected = whole.Finish();
            for (var i = 0; i < 20; i++)
            {
                var pieces = new SipHash(Count.AsSpan(0, 16));
                for (var at = 0; at < length;)
                {
                    var size = Math.Min(random.Next(1, 12), length - at);
                    pieces.Append(Count.AsSpan(at, size));
                    at += size;
                }
                Assert.Equal(expected, pieces.Finish());
            }
        }
    }
}
