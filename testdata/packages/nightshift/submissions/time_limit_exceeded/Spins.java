public class Spins {
    static volatile long count;

    public static void main(String[] arguments) {
        while (true) count++;
    }
}
