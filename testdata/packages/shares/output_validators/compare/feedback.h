// Where a validator writes and how it ends.
#ifndef FEEDBACK_H
#define FEEDBACK_H

#include <string>

const int ACCEPT = 42;
const int REJECT = 43;

// Ends the validator with that code; `judge` and `team` go into the messages of the feedback directory.
[[noreturn]] void finish(const char *directory, int code, const std::string &judge, const std::string &team = "");

#endif
