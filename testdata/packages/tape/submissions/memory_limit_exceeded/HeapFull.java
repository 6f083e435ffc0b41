// @EXPECTED_RESULTS@: MLE, RTE
// The runtime may notice first that its heap is full, and throw.
import java.util.ArrayList;
import java.util.List;

public class HeapFull {
    public static void main(String[] arguments) {
        List<long[]> blocks = new ArrayList<>();
        while (true) {
            long[] block = new long[1 << 20];
            java.util.Arrays.fill(block, 1);
            blocks.add(block);
        }
    }
}
