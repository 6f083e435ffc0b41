import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.StreamTokenizer;

public class OwnStack {
    public static void main(String[] arguments) throws IOException {
        StreamTokenizer input = new StreamTokenizer(new BufferedInputStream(System.in));
        input.nextToken();
        int count = (int) input.nval;
        int[] parent = new int[count + 1], first = new int[count + 1], next = new int[count + 1];
        for (int person = 1; person <= count; person++) {
            input.nextToken();
            parent[person] = (int) input.nval;
            next[person] = first[parent[person]];
            first[parent[person]] = person;
        }
        int[] order = new int[count], size = new int[count + 1], generation = new int[count + 1];
        int known = 0, generations = 0;
        order[known++] = first[0];
        for (int place = 0; place < known; place++) {
            int person = order[place];
            generation[person] = generation[parent[person]] + 1;
            generations = Math.max(generations, generation[person]);
            for (int child = first[person]; child != 0; child = next[child]) order[known++] = child;
        }
        long total = 0;
        for (int place = count - 1; place >= 0; place--) {
            int person = order[place];
            size[person]++;
            size[parent[person]] += size[person];
            total = (total + (long) size[person] * person) % 1_000_000_007;
        }
        System.out.println(generations + " " + total);
    }
}
