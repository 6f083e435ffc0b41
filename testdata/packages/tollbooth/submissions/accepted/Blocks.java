import java.io.IOException;

public class Blocks {
    private static final byte[] block = new byte[1 << 16];
    private static int position, length;

    private static long nextNumber() throws IOException {
        long value = 0;
        while (true) {
            if (position == length) {
                length = System.in.read(block);
                position = 0;
                if (length <= 0) return value;
            }
            byte digit = block[position++];
            if (digit == '\n') return value;
            value = 10 * value + (digit - '0');
        }
    }

    public static void main(String[] arguments) throws IOException {
        long sum = 0, largest = 0;
        for (long count = nextNumber(); count > 0; count--) {
            long toll = nextNumber();
            sum += toll;
            largest = Math.max(largest, toll);
        }
        System.out.println(sum + " " + largest);
    }
}
