constexpr int spin() {
    unsigned count = 0;
    while (true) ++count;
    return count;
}

constexpr int never = spin();

int main() { return never; }
