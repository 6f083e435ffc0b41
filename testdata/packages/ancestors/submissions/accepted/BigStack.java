import java.io.IOException;
import java.io.StreamTokenizer;

public class BigStack {
    private static int[] first, next;
    private static int generations;
    private static long total;

    private static int visit(int person, int generation) {
        int size = 1;
        generations = Math.max(generations, generation);
        for (int child = first[person]; child != 0; child = next[child]) size += visit(child, generation + 1);
        total = (total + (long) size * person) % 1_000_000_007;
        return size;
    }

    public static void main(String[] arguments) throws Exception {
        Thread thread = new Thread(null, BigStack::solve, "solver", 128 << 20);
        thread.start();
        thread.join();
    }

    private static void solve() {
        try {
            StreamTokenizer input = new StreamTokenizer(new java.io.BufferedInputStream(System.in));
            input.nextToken();
            int count = (int) input.nval, root = 0;
            first = new int[count + 1];
            next = new int[count + 1];
            for (int person = 1; person <= count; person++) {
                input.nextToken();
                int parent = (int) input.nval;
                if (parent == 0) {
                    root = person;
                } else {
                    next[person] = first[parent];
                    first[parent] = person;
                }
            }
            visit(root, 1);
            System.out.println(generations + " " + total);
        } catch (IOException error) {
            throw new RuntimeException(error);
        }
    }
}
