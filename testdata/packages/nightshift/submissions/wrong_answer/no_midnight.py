def minutes(clock):
    hour, minute = clock.split(":")
    return 60 * int(hour) + int(minute)


for _ in range(int(input())):
    begin, end = map(minutes, input().split())
    print(end - begin)
