identification division.
program-id. add-two.
data division.
working-storage section.
01 input-line pic x(80).
01 first-word pic x(40).
01 second-word pic x(40).
01 total pic s9(18).
01 shown pic -(18)9.
procedure division.
    accept input-line
    unstring input-line delimited by all space into first-word second-word
    compute total = function numval(first-word) + function numval(second-word)
    move total to shown
    display function trim(shown)
    stop run.
