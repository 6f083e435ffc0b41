template <unsigned long depth>
struct Deeper {
    static constexpr unsigned long value = Deeper<depth + 1>::value;
};

int main() { return Deeper<0>::value; }
