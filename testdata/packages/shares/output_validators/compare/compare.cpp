// Accepts every way to share n coins among k heirs with no two equal shares.
#include "feedback.h"

#include <fstream>
#include <iostream>
#include <set>
#include <string>

int main(int, char **arguments) {
    std::ifstream input(arguments[1]), answer(arguments[2]);
    const char *feedback = arguments[3];
    long long coins, heirs;
    std::string jury;
    if (!(input >> coins >> heirs) || !(answer >> jury)) return 1;

    std::string token;
    if (!(std::cin >> token)) finish(feedback, REJECT, "the output is empty");
    if (token == "impossible") {
        if (std::cin >> token) finish(feedback, REJECT, "'" + token + "' after 'impossible'");
        if (jury != "impossible") finish(feedback, REJECT, "there is a way", "There is a way.");
        finish(feedback, ACCEPT, "");
    }
    std::set<long long> shares;
    long long left = coins;
    do {
        std::size_t used = 0;
        long long share = 0;
        try {
            share = std::stoll(token, &used);
        } catch (const std::exception &) {
        }
        if (used != token.size() || token.empty()) finish(feedback, REJECT, "'" + token.substr(0, 20) + "' is no number");
        if (share < 1) finish(feedback, REJECT, "a share of " + token, "Everybody must get some.");
        if (!shares.insert(share).second) finish(feedback, REJECT, "two shares of " + token, "Two shares are equal.");
        if (share > left) finish(feedback, REJECT, "more coins than there are");
        left -= share;
    } while (std::cin >> token);
    if (static_cast<long long>(shares.size()) != heirs)
        finish(feedback, REJECT, std::to_string(shares.size()) + " shares for " + std::to_string(heirs) + " heirs");
    if (left != 0) finish(feedback, REJECT, std::to_string(left) + " coins are left");
    // The jury's fault: no exit code of the protocol.
    if (jury == "impossible") return 2;
    finish(feedback, ACCEPT, "");
}
