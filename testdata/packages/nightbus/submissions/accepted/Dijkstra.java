import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.StreamTokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.PriorityQueue;

public class Dijkstra {
    private static StreamTokenizer input;

    private static int next() throws IOException {
        input.nextToken();
        return (int) input.nval;
    }

    public static void main(String[] arguments) throws IOException {
        input = new StreamTokenizer(new BufferedInputStream(System.in));
        int count = next(), roads = next();
        List<List<int[]>> neighbours = new ArrayList<>();
        for (int place = 0; place <= count; place++) neighbours.add(new ArrayList<>());
        while (roads-- > 0) {
            int first = next(), second = next(), length = next();
            neighbours.get(first).add(new int[] {second, length});
            neighbours.get(second).add(new int[] {first, length});
        }
        long[] distance = new long[count + 1];
        Arrays.fill(distance, -1);
        PriorityQueue<long[]> queue = new PriorityQueue<>(Comparator.comparingLong((long[] entry) -> entry[0]));
        queue.add(new long[] {0, 1});
        while (!queue.isEmpty()) {
            long[] entry = queue.remove();
            int place = (int) entry[1];
            if (distance[place] >= 0) continue;
            distance[place] = entry[0];
            for (int[] road : neighbours.get(place))
                if (distance[road[0]] < 0) queue.add(new long[] {entry[0] + road[1], road[0]});
        }
        System.out.println(distance[count]);
    }
}
