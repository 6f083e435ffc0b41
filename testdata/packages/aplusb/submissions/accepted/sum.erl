-module(sum).
-export([main/0]).

main() ->
    {ok, [First, Second]} = io:fread("", "~d ~d"),
    io:format("~w~n", [First + Second]).
