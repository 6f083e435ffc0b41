import std.stdio;

void main()
{
    long first, second;
    readf(" %d %d", &first, &second);
    writeln(first + second);
}
