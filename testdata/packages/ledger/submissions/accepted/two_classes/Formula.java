class Formula {
    private static final long MODULUS = 1_000_000_007;
    private final String text;
    private int position;

    Formula(String text) {
        this.text = text.replace(" ", "") + "\n";
    }

    long sum() {
        long value = product();
        while (text.charAt(position) == '+' || text.charAt(position) == '-') {
            boolean plus = text.charAt(position++) == '+';
            long other = product();
            value = (plus ? value + other : value + MODULUS - other) % MODULUS;
        }
        return value;
    }

    private long product() {
        long value = atom();
        while (text.charAt(position) == '*') {
            position++;
            value = value * atom() % MODULUS;
        }
        return value;
    }

    private long atom() {
        long value = 0;
        if (text.charAt(position) == '(') {
            position++;
            value = sum();
            position++;
            return value;
        }
        while (Character.isDigit(text.charAt(position))) value = 10 * value + (text.charAt(position++) - '0');
        return value % MODULUS;
    }
}
