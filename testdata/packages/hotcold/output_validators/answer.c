/* Answers guesses at the number in the input; what was guessed is written down for the jury. */
#include <stdio.h>
#include <string.h>

static FILE *notes;

static int reject(const char *why) {
    fprintf(notes, "%s\n", why);
    return 43;
}

int main(int count, char **arguments) {
    char path[4096];
    int hidden;
    FILE *input = count > 3 ? fopen(arguments[1], "r") : NULL;
    if (!input || fscanf(input, "%d", &hidden) != 1)
        return 1;
    snprintf(path, sizeof path, "%sjudgemessage.txt", arguments[3]);
    notes = fopen(path, "w");
    if (!notes)
        return 1;
    for (int turn = 1; turn <= 10; turn++) {
        int guess;
        if (scanf("%d", &guess) != 1)
            return reject("no guess");
        fprintf(notes, "guess %d: %d\n", turn, guess);
        if (guess < 1 || guess > 1000)
            return reject("out of range");
        printf("%s\n", guess < hidden ? "more" : guess > hidden ? "less" : "found");
        fflush(stdout);
        if (guess == hidden) {
            char rest[2];
            return scanf("%1s", rest) == 1 ? reject("words after the end") : 42;
        }
    }
    return reject("ten guesses");
}
