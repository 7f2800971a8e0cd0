namespace Logwarden;

static class Program
{
    static int Main() => 0;
}
